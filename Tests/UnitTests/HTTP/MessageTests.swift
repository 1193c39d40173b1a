import HTTP
import JSON
import Testing

/// Fields, queries, tags, media types and problems: the small parts of a message.
@Suite struct MessageTests {
    @Test func `field names compare without case and values carry no line breaks`() throws {
        var fields = Fields()
        fields.append(try #require(Field.Name("X-Thing")), " a\r\nSet-Cookie: b\0 ")
        fields.append(try #require(Field.Name("x-thing")), "c")
        #expect(fields.values(try #require(Field.Name("X-THING"))) == ["a  Set-Cookie: b", "c"])
        fields[try #require(Field.Name("X-Thing"))] = "d"
        #expect(fields.count == 1)
    }

    @Test(arguments: [
        ("a ", "a"), (" a", "a"), (" ", ""), ("", ""), ("a", "a"), ("a b", "a b"), ("a\tb", "a\tb"), ("a\t", "a"),
        ("\ta \t", "a"),
        ("a\u{1}", "a\u{1}"), ("é ", "é"),
    ])
    func `a value loses the blanks at its ends alone`(value: String, cleaned: String) {
        #expect(Field(.vary, value).value == cleaned)
        var fields = Fields()
        fields.append(.vary, value)
        #expect(fields[.vary] == cleaned)
    }

    @Test func `fields keep their order when one is set, and are told with what they take in a head`() {
        var fields = Fields([
            Field(.vary, "a"), Field(.etag, "\"1\""), Field(.vary, "\tb\t"), Field(.location, ""),
            Field(.allow, "a\tb"),
        ])
        fields[.vary] = "é"
        #expect(
            Array(fields) == [
                Field(.etag, "\"1\""), Field(.location, ""), Field(.allow, "a\tb"), Field(.vary, "é"),
            ])
        #expect(fields == Fields(Array(fields)))
        #expect(fields.headBytes == "etag: \"1\"\r\nlocation: \r\nallow: a\tb\r\nvary: é\r\n".utf8.count)
        fields[.etag] = nil
        #expect(fields[.etag] == nil && fields.count == 3 && fields.headBytes == 12 + 12 + 10)
    }

    @Test func `setting what is there already changes nothing, and of several leaves one`() {
        var fields = Fields([Field(.vary, "a"), Field(.etag, "b"), Field(.vary, "a")])
        fields[.etag] = "b"
        #expect(fields.map(\.value) == ["a", "b", "a"])
        fields[.vary] = "a"
        #expect(Array(fields) == [Field(.etag, "b"), Field(.vary, "a")])
        fields[.etag] = "bc"
        #expect(Array(fields) == [Field(.vary, "a"), Field(.etag, "bc")])
        fields[.etag] = "b"
        #expect(fields.values(.etag) == ["b"])
    }

    @Test func `C reads fields as they are kept`() {
        let fields = Fields([Field(.vary, " a\r\nb: c\0"), Field(.allow, "")])
        var seen: [String] = []
        fields.forEachInC { name, value in seen += [String(cString: name), String(cString: value)] }
        #expect(seen == ["vary", "a  b: c", "allow", ""])
    }

    @Test(arguments: [("X-Thing", true), ("x thing", false), ("", false), ("é", false)])
    func `a field from outside is taken by the name of a token alone`(name: String, isTaken: Bool) {
        var fields = Fields()
        let wasTaken = fields.append(untrusted: Array(name.utf8).span, value: Array(" ü\t".utf8).span)
        #expect(wasTaken == isTaken)
        #expect(fields.map { "\($0.name): \($0.value)" } == (isTaken ? ["x-thing: ü"] : []))
    }

    @Test(arguments: ["", "a b", "a:b", "a\n", "é", "(x)"]) func `what is no token is no field name`(name: String) {
        #expect(Field.Name(name) == nil)
    }

    @Test(arguments: [
        ("", []), ("a=1&b=2", [("a", "1"), ("b", "2")]), ("a=1&a=2", [("a", "1"), ("a", "2")]), ("a", [("a", "")]),
        ("a=b=c", [("a", "b=c")]), ("a+b=c%20d", [("a b", "c d")]), ("%E4%B8%AD=%26", [("中", "&")]),
        ("&&a=1&", [("a", "1")]),
    ])
    func `a query is read in order, repeats kept`(text: String, expected: [(String, String)]) throws {
        let query = try #require(QueryString(parsing: text))
        #expect(query.parameters == expected.map { QueryString.Parameter($0.0, $0.1) })
        for (name, _) in expected { #expect(query.value(name) == query.values(name).first) }
        #expect(query.value("absent") == nil)
    }

    @Test(arguments: ["a=%", "a=%4", "a=%zz", "a=%ff", "%C0%AF=1"]) func `a broken escape is no query`(text: String) {
        #expect(QueryString(parsing: text) == nil)
    }

    @Test func `what is encoded reads back`() throws {
        let query = QueryString([.init("a b", "c&d=é/+%"), .init("e", "")])
        #expect(query.encoded == "a%20b=c%26d%3D%C3%A9%2F%2B%25&e=")
        #expect(QueryString(parsing: query.encoded) == query)
    }

    @Test(arguments: [
        ("W/\"x\"", true), ("\"x\"", true), ("*", true), ("\"a\", W/\"x\" ,\"b\"", true), ("\"y\"", false),
        ("x", false), ("", false),
        ("W/\"x", false),
    ])
    func `tags are compared weakly`(header: String, matches: Bool) {
        #expect(EntityTag(weak: "x").matches(header) == matches)
    }

    @Test(arguments: [
        ("application/json", true), ("Application/JSON;charset=utf-8", true), ("application/merge-patch+json", true),
        (" application/json ; x=y", true), ("text/json", false), ("application/jsonx", false), ("", false),
        ("application/x-www-form-urlencoded", false),
    ])
    func `JSON is told by its media type`(type: String, isJSON: Bool) {
        #expect(MediaType.isJSON(type) == isJSON)
    }

    @Test func `a problem has the members of RFC 9457 and ours`() throws {
        let problem = Problem(
            .badGateway, type: "provider-refused", title: "T", detail: "D", field: "f",
            provider: .init(code: "40164", message: "m", address: "203.0.113.7"), retryAfter: 7)
        let response = problem.response(requestID: "r")
        #expect(response.status == .badGateway)
        #expect(response.fields[.contentType] == "application/problem+json")
        #expect(response.fields[.retryAfter] == "7")
        #expect(
            try JSON.Value(parsing: response.body) == [
                "type": "/problems/provider-refused", "title": "T", "status": 502, "detail": "D", "request_id": "r",
                "field": "f",
                "provider": ["code": "40164", "message": "m", "address": "203.0.113.7"],
            ])
    }
}
