import HTTP
import HTTPServer
import Testing

/// What libmicrohttpd answers by itself, before anything of ours has seen the request: pages without a field against browsers.
@Suite struct LibraryPageTests {
    /// Requests that it refuses, by a text that stands in each wherever one can.
    private static let requests: [(name: String, make: @Sendable (String) -> String)] = [
        ("a long target", { "GET /" + String(repeating: $0, count: 8_000) + " HTTP/1.1\r\nHost: t\r\n\r\n" }),
        (
            "a long field",
            { "GET /\($0)?\($0) HTTP/1.1\r\nHost: t\r\n\($0): " + String(repeating: $0, count: 8_000) + "\r\n\r\n" }
        ),
        (
            "many fields",
            { "GET /\($0) HTTP/1.1\r\nHost: \($0)\r\n" + String(repeating: "\($0): \($0)\r\n", count: 4_000) + "\r\n" }
        ),
        ("no request line", { "\($0)\r\nHost: \($0)\r\n\r\n" }),
        ("too many words", { "\($0) /\($0) \($0) \($0)\r\nHost: \($0)\r\n\r\n" }),
        ("no version", { "GET /\($0)\r\n\r\n" }), ("another version", { "GET /\($0) HTTP/2.0\r\nHost: \($0)\r\n\r\n" }),
        ("no colon", { "GET /\($0) HTTP/1.1\r\nHost: \($0)\r\n\($0)\r\n\r\n" }),
        ("no length", { "POST /\($0) HTTP/1.1\r\nHost: \($0)\r\nContent-Length: \($0)\r\n\r\n" }),
        (
            "a long length",
            { "POST /\($0) HTTP/1.1\r\nHost: \($0)\r\nContent-Length: 99999999999999999999999\r\n\r\n\($0)" }
        ),
        ("no chunk", { "POST /\($0) HTTP/1.1\r\nHost: \($0)\r\nTransfer-Encoding: chunked\r\n\r\n\($0)\r\n" }),
    ]

    @Test(arguments: requests.indices)
    func `the library's own pages say the same whatever was sent, and nothing of it`(index: Int) throws {
        let (name, make) = Self.requests[index]
        let server = try Server(Server.Configuration()) { exchange in
            exchange.respond(Response(.ok, body: Array("handled".utf8)))
        }
        let answers = try ["canaryone", "CANARYTWO"].map { text -> String? in
            let connection = try RawHTTPConnection(port: server.port)
            // What is refused before it is whole cannot be sent to its end, and its answer may be lost with the connection.
            try? connection.send(make(text))
            connection.finishSending()
            let answer = try? connection.readResponse()
            let rest = (try? connection.readToEnd()) ?? []
            guard let answer else { return nil }
            #expect((400...505).contains(answer.status), "\(name)")
            let fields = answer.fields.map { "\($0.name): \($0.value)\r\n" }.joined()
            let page = "\(answer.status)\r\n\(fields)\(answer.text)"
            let whole = page + String(decoding: rest, as: UTF8.self)
            #expect(!whole.lowercased().contains("canary"), "\(name): \(whole)")
            #expect(!whole.contains("handled") && !whole.lowercased().contains("<script"), "\(name): \(whole)")
            return page.replacing(#/Date: [^\r]+/#, with: "")
        }
        if make("").utf8.count < 1_000, name != "no request line" { #expect(answers[0] != nil, "\(name)") }
        if let one = answers[0], let two = answers[1] { #expect(one == two, "\(name)") }
    }
}
