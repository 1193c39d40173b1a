import HTTP
import Testing

@Suite struct URLTests {
    @Test func `a URL is read into its parts`() throws {
        let url = try HTTP.URL(parsing: "HTTPS://API.Example.com:8443/a%2Fb/c?x=1&y=%20")
        #expect(url.origin.scheme == .https)
        #expect(url.origin.host == .name("api.example.com"))
        #expect(url.origin.port == 8443)
        #expect(url.path == "/a%2Fb/c")
        #expect(url.query == "x=1&y=%20")
        #expect(url.text() == "https://api.example.com:8443/a%2Fb/c?x=1&y=%20")
    }

    @Test(
        arguments: [
            ("http://h", 80, "/", nil), ("https://h", 443, "/", nil), ("https://h?q", 443, "/", "q"),
            ("http://h:443/", 443, "/", nil), ("http://h/?", 80, "/", ""),
        ] as [(String, UInt16, String, String?)])
    func `what is left out has its default`(text: String, port: UInt16, path: String, query: String?) throws {
        let url = try HTTP.URL(parsing: text)
        #expect(url.origin.port == port)
        #expect(url.path == path)
        #expect(url.query == query)
    }

    @Test func `addresses are told from names`() throws {
        #expect(try HTTP.URL(parsing: "http://127.0.0.1/").origin.host == .address(.v4(0x7F00_0001)))
        let url = try HTTP.URL(parsing: "http://[::1]:81/")
        #expect(url.origin.host == .address(.v6(high: 0, low: 1)))
        #expect(url.origin.port == 81)
        #expect(url.text() == "http://[::1]:81/")
    }

    @Test(
        arguments: [
            ("", URLError.notHTTP), ("/path", .notHTTP), ("ftp://h/", .notHTTP), ("file:///etc/passwd", .notHTTP),
            ("https:/h", .notHTTP), ("//h/", .notHTTP), ("javascript:x", .notHTTP),
            ("https://user@h/", .userInfo), ("https://u:p@h/", .userInfo),
            ("https://good.example@evil.example/", .userInfo),
            ("https://h/#f", .fragment), ("https://h/a b", .badCharacter), ("https://h/\r\nX: y", .badCharacter),
            ("https://h/\u{0}", .badCharacter), ("https://h\\@evil/", .badCharacter),
            ("https://münchen.example/", .badCharacter),
            ("https://h/{x}", .badCharacter), ("https:///path", .badHost), ("https://", .badHost),
            ("https://a..b/", .badHost),
            ("https://h./", .badHost), ("https://h%41/", .badHost), ("https://[::1/", .badPort),
            ("https://[1.2.3.4]/", .badHost),
            ("https://[fe80::1%25eth0]/", .badHost), ("https://::1/", .badPort), ("https://h:/", .badPort),
            ("https://h:0/", .badPort), ("https://h:65536/", .badPort), ("https://h:+80/", .badPort),
            ("https://h:80:80/", .badPort), ("https://h/%zz", .badEscape), ("https://h/?%f", .badEscape),
            // What resolvers take for 127.0.0.1.
            ("https://127.1/", .badHost), ("https://0x7f000001/", .badHost), ("https://2130706433/", .badHost),
            ("https://0177.0.0.1/", .badHost), ("https://127.0.0.0x1/", .badHost), ("https://1.2.3.4.5/", .badHost),
            ("https://256.1.1.1/", .badHost),
        ])
    func `what could be read in two ways is refused`(text: String, expected: URLError) {
        #expect(throws: expected) { try HTTP.URL(parsing: text) }
    }

    @Test func `parameters are added encoded, after what the query has`() throws {
        let added = QueryString([.init("a b", "x&y=ü+")])
        #expect(try HTTP.URL(parsing: "https://h/p").text(adding: added) == "https://h/p?a%20b=x%26y%3D%C3%BC%2B")
        #expect(try HTTP.URL(parsing: "https://h?z=1").text(adding: added) == "https://h/?z=1&a%20b=x%26y%3D%C3%BC%2B")
        #expect(try HTTP.URL(parsing: "https://h/?").text(adding: added) == "https://h/?a%20b=x%26y%3D%C3%BC%2B")
    }
}
