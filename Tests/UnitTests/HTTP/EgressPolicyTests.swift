import HTTP
import Testing

@Suite struct EgressPolicyTests {
    @Test(
        arguments: [
            ("https://api.example.com/", nil), ("https://api.example.com:8443/", nil), ("https://8.8.8.8/", nil),
            ("https://[2606:4700::1111]/", nil),
            ("http://api.example.com/", .plainHTTP), ("http://127.0.0.1/", .plainHTTP),
            ("https://localhost/", .internalAddress), ("https://x.LOCALHOST/", .internalAddress),
        ] as [(String, EgressPolicy.Refusal?)])
    func `without a list only https to the open internet is allowed`(text: String, refusal: EgressPolicy.Refusal?)
        throws
    {
        #expect(EgressPolicy().permits(try HTTP.URL(parsing: text).origin) == refusal)
    }

    @Test(
        arguments: [
            "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.255", "169.254.169.254",
            "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
            "[::]", "[::1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::10.0.0.1]",
            "[2002:7f00:1::]", "[2002:808:808::]", "[::ffff:8.8.8.8]", "[::8.8.8.8]", "[64:ff9b:1::808:808]",
            "[fec0::1]",
            "[2001:0:1::1]", "[2001:db8::1]", "[fc00::1]", "[fd00:ec2::254]", "[fe80::1]", "[ff02::1]",
        ])
    func `every internal address is refused, however it is wrapped`(host: String) throws {
        #expect(EgressPolicy().permits(try HTTP.URL(parsing: "https://\(host)/").origin) == .internalAddress)
    }

    @Test(arguments: [
        "172.15.255.255", "172.32.0.1", "100.128.0.1", "11.0.0.1", "[64:ff9b::8.8.8.8]", "[2001:200::1]",
    ])
    func `neighbours of internal ranges are not refused`(host: String) throws {
        #expect(EgressPolicy().permits(try HTTP.URL(parsing: "https://\(host)/").origin) == nil)
    }

    @Test(
        arguments: [
            ("http://127.0.0.1:8081/x", true), ("http://127.0.0.1:8082/", false), ("http://provider.test/", true),
            ("http://PROVIDER.test:99/", true), ("http://sub.provider.test/", false), ("http://[::1]:5/", true),
            ("https://10.0.0.1/", true), ("http://10.0.0.1/", false),
        ])
    func `the list allows by host without case and by port where it names one`(text: String, isAllowed: Bool) throws {
        let policy = try EgressPolicy(parsing: "127.0.0.1:8081, Provider.Test ,[::1]:5,,10.0.0.1:443")
        #expect((policy.permits(try HTTP.URL(parsing: text).origin) == nil) == isAllowed)
    }

    @Test func `the address that a name leads to is judged like one that is written, unless the name is listed`() throws
    {
        let policy = try EgressPolicy(parsing: "provider.test:8081")
        let inside = try #require(IPAddress("127.0.0.1"))
        let outside = try #require(IPAddress("8.8.8.8"))
        let stranger = try URL.Origin(of: "https://stranger.test/")
        #expect(policy.permits(stranger, at: outside))
        #expect(!policy.permits(stranger, at: inside))
        #expect(policy.permits(try URL.Origin(of: "http://provider.test:8081"), at: inside))
        #expect(!policy.permits(try URL.Origin(of: "https://provider.test:8082"), at: inside))
        #expect(!policy.permits(try URL.Origin(of: "http://provider.test:8082"), at: outside))
    }

    @Test(arguments: ["http://h", "h:0", "h:x", "h/path", "user@h", "127.1", "::1", "a b", "*"])
    func `a bad list is refused with the variable and the entry's number, not its text`(entry: String) {
        let error = #expect(throws: EgressPolicy.ParseError.self) { try EgressPolicy(parsing: "good.example,\(entry)") }
        #expect(error?.description == "UPSTREAM_ALLOW: entry 2 is not host[:port]")
    }
}
