import HTTP
import HTTPServer
import JSON
import Synchronization
import Testing

/// What the server makes of the bytes of a request.
@Suite struct FramingTests {
    /// Answers with what the handler saw.
    private func echo(maximumBodyBytes: Int = 1 << 20) throws -> Server {
        try Server(Server.Configuration(maximumBodyBytes: maximumBodyBytes)) { exchange in
            let request = exchange.request
            exchange.respond(
                Response(
                    .ok,
                    json: [
                        "method": .string(request.method.rawValue), "path": .string(request.path),
                        "query": .string(request.query), "address": .string(request.sourceAddress ?? ""),
                        "fields": .array(request.fields.map { .string("\($0.name): \($0.value)") }),
                        "body": .string(String(decoding: request.body, as: UTF8.self)),
                    ]))
        }
    }

    @Test func `path and query come as they were sent`() throws {
        let server = try echo()
        let answer = try RawHTTPConnection(port: server.port).request("GET", "/a%2Fb%00/%e4?x=%26&y=+&&z")
        let seen = try Value(parsing: answer.body)
        #expect(answer.status == 200)
        #expect(seen["path"] == "/a%2Fb%00/%e4")
        #expect(seen["query"] == "x=%26&y=+&&z")
        #expect(seen["address"] == "127.0.0.1")
    }

    @Test(arguments: [
        ("http://host/p?q=1", "/p", "q=1"), ("http://host?q=1", "/", "q=1"), ("HTTP://host", "/", ""),
        ("https://host:1/", "/", ""), ("/p?a?b", "/p", "a?b"), ("//p", "//p", ""),
    ])
    func `an absolute target counts from its path`(target: String, path: String, query: String) throws {
        let server = try echo()
        let seen = try Value(parsing: RawHTTPConnection(port: server.port).request("GET", target).body)
        #expect(seen["path"] == .string(path))
        #expect(seen["query"] == .string(query))
    }

    @Test(arguments: [
        String(repeating: "&", count: 250), String(repeating: "&", count: 275), String(repeating: "&", count: 6_000),
        String(repeating: "a=1&", count: 250), "", "?", "a=?&b",
    ])
    func `a query of any number of parameters is read whole, and the next request too`(query: String) throws {
        let server = try echo()
        let connection = try RawHTTPConnection(port: server.port)
        for _ in 0..<2 {
            let seen = try Value(parsing: connection.request("GET", "/pong?\(query)", fields: ["X-A: b"]).body)
            #expect(seen["path"] == "/pong")
            #expect(seen["query"] == .string(query))
            #expect(seen["fields"] == ["host: test", "x-a: b"])
        }
    }

    @Test func `fields come in order, repeats kept`() throws {
        let server = try echo()
        let answer = try RawHTTPConnection(port: server.port).request(
            "GET", "/", fields: ["X-A: 1", "X-B:2", "X-A:  3", "X-C: 4 \t ", "X-E:"])
        #expect(
            try Value(parsing: answer.body)["fields"] == [
                "host: test", "x-a: 1", "x-b: 2", "x-a: 3", "x-c: 4", "x-e: ",
            ])
        for last in ["X-A: b", "X-A:", "X-A: ", "X-A: b  ", "X-A:\t", "X-A: b\t \t"] {
            let answer = try RawHTTPConnection(port: server.port).request("GET", "/", fields: [last])
            #expect(try Value(parsing: answer.body)["fields"]?.array?.count == 2, "\(last)")
        }
    }

    @Test func `a body is whole however it comes`() throws {
        let server = try echo()
        let connection = try RawHTTPConnection(port: server.port)
        try connection.send("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        try connection.send("2\r\nde\r\n0\r\n\r\n")
        #expect(try Value(parsing: connection.readResponse().body)["body"] == "abcde")
        let next = try RawHTTPConnection(port: server.port)
        let long = String(repeating: "x", count: 300_000)
        #expect(try Value(parsing: next.request("POST", "/", body: long).body)["body"] == .string(long))
        let expecting = try next.request("POST", "/", fields: ["Expect: 100-continue"], body: "abc")
        #expect(try Value(parsing: expecting.body)["body"] == "abc")
    }

    @Test func `a head that comes byte by byte is read like any other`() throws {
        let server = try echo()
        let connection = try RawHTTPConnection(port: server.port)
        for byte in "GET /slow?a=b HTTP/1.1\r\nHost: t\r\nX-A: b c\r\nX-B: d\r\n\r\n".utf8 {
            try connection.send([byte])
        }
        let seen = try Value(parsing: connection.readResponse().body)
        #expect(seen["path"] == "/slow")
        #expect(seen["fields"] == ["host: t", "x-a: b c", "x-b: d"])
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /a\0b HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nX-A: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nX-A: b\r\n\tc\r\nX-B: d\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nX-A: b\0c\r\nX-B: d\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nX-A: b\0c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nX-A: b \0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\n: a\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\n:\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\n\0\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\n\0: a\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nX-A:\r\n\0abc: a\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\n: a\r\nContent-Length: 35\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n: a\r\n\r\nhel",
        "GET / HTTP/1.1\r\nHost: t\n\r\n",
        "GET / HTTP/1.1\nHost: t\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nX-A: b\nContent-Length: 35\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 35\0\r\nX-A: b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\0 \0\r\nX-A: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\n\n",
        "GET /\u{1} HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET host HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET http:// HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET\0x /a HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET  /a HTTP/1.1\r\nHost: t\r\n\r\n",
        "X: /a HTTP/1.1\r\nHost: t\r\n\r\n",
        "G\u{1} /a HTTP/1.1\r\nHost: t\r\n\r\n",
        "DELETE\r/b\rX-A:b /a HTTP/1.1\r\nHost: t\r\n\r\n",
        "\0GET /a HTTP/1.1\r\nX: /b HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\n\0x\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\0x\n\n",
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nTRANSFER-ENCODING: chunked\t\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chun\u{212A}ed\r\n\r\n0\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: t\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n",
    ])
    func `what two parsers may read differently is refused with problem details`(bytes: String) throws {
        let server = try echo()
        let connection = try RawHTTPConnection(port: server.port)
        // A request smuggled behind it must not be answered.
        try connection.send(bytes + "GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n")
        let answer = try connection.readResponse()
        #expect(answer.status == 400)
        #expect(answer["Content-Type"] == "application/problem+json")
        #expect(answer["Connection"]?.lowercased() == "close")
        #expect(answer["X-Content-Type-Options"] == "nosniff")
        #expect(answer["Content-Security-Policy"]?.hasPrefix("default-src 'none'") == true)
        #expect(try Value(parsing: answer.body)["status"] == 400)
        #expect(try answeredBehind(connection) == [])
    }

    /// What comes until the peer closes, in order or by RST, as it does where something lies unread.
    private func answeredBehind(_ connection: RawHTTPConnection) throws -> [UInt8] {
        do { return try connection.readToEnd() } catch RawHTTPConnection.Failure.reset { return [] }
    }

    /// Lines that to the library look like an end of the head.
    @Test(arguments: ["t\r\n:\n", "t\r\n\0\n", "t\n:\r\n", "t\n\0\r\n", "t\0\r\n\n", "t\0\0\n\n"])
    func `a header field is no request, wherever the head seems to end before it`(host: String) throws {
        let server = try echo()
        let connection = try RawHTTPConnection(port: server.port)
        try connection.send("GET /a HTTP/1.1\r\nHost: \(host)X: /smuggled HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let answer = try connection.readResponse()
        if answer.status == 200 {
            let seen = try Value(parsing: answer.body)
            #expect(seen["path"] == "/a" && seen["fields"] == ["host: t"])
            #expect(try connection.readResponse().status == 400)
        } else {
            #expect(answer.status == 400)
        }
        #expect(try answeredBehind(connection) == [])
    }

    @Test(arguments: [
        "\0 /a HTTP/1.1\r\nHost: t\r\n\r\n", "NONSENSE\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : t\r\n\r\n", "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n", "GET / HTTP/1.0\r\n: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\0\r\n", "GET / HTTP/1.0\n\n",
    ])
    func `what is not HTTP gets a 4xx or no answer, never the handler`(bytes: String) throws {
        let server = try echo()
        let connection = try RawHTTPConnection(port: server.port)
        try connection.send(bytes)
        do {
            #expect(try (400...431).contains(connection.readResponse().status))
        } catch let failure as RawHTTPConnection.Failure {
            #expect(failure == .closed || failure == .reset)
        }
    }

    /// The library keeps head, records of the fields and head of the answer in one piece of memory.
    @Test(arguments: [("X-A: ", 20), ("X-A: ", 50), ("X-A: ", 2_000), ("Cookie: a=", 30), ("Cookie: a=b; c=", 300)])
    func `no answer of a handler is lost because the head of its request was long`(field: String, length: Int) throws {
        let handled = Atomic(0)
        var configuration = Server.Configuration()
        configuration.maximumHeadBytes = 16 << 10
        let server = try Server(configuration) { exchange in
            handled.add(1, ordering: .relaxed)
            exchange.respond(
                Response(.ok, fields: Fields([Field(.etag, String(repeating: "e", count: 300))]), body: [1]))
        }
        let line = field + String(repeating: "x", count: length - field.utf8.count)
        var statuses: [Int: Int] = [:]
        for count in 1...(20_000 / length) {
            let connection = try RawHTTPConnection(port: server.port)
            // What is refused before it is whole cannot be sent to its end.
            let answer = try? connection.request("POST", "/", fields: Array(repeating: line, count: count), body: "a")
            statuses[answer?.status ?? 0, default: 0] += 1
        }
        #expect(statuses[200] == handled.load(ordering: .relaxed))
        #expect(Set(statuses.keys).isSubset(of: [0, 200, 431]) && statuses.count >= 2)
    }

    @Test(arguments: [(40_000, 431), (80_000, 431)])
    func `a head over the limit is refused`(bytes: Int, status: Int) throws {
        let server = try echo()
        let connection = try RawHTTPConnection(port: server.port)
        try connection.send("GET / HTTP/1.1\r\nHost: t\r\nX-Long: \(String(repeating: "x", count: bytes))")
        #expect(try connection.readResponse().status == status)
    }

    @Test(arguments: ["\r\n", "X-A: b\r\n\r\n", "\0\r\n", "X-A: b\r\n: a\r\n", "X-A: b\r\n\0: a\r\n", ": a\r\n"])
    func `nothing in a trailer begins another request`(trailer: String) throws {
        let server = try echo()
        let connection = try RawHTTPConnection(port: server.port)
        try connection.send("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\(trailer)")
        try connection.send("GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n")
        let answer = try connection.readResponse()
        #expect(answer.status == 200 || trailer == ": a\r\n" && answer.status == 400)
        #expect(answer["Connection"]?.lowercased() == "close")
        #expect(try answeredBehind(connection) == [])
    }

    @Test func `a head under the limit is taken`() throws {
        let server = try echo()
        let long = String(repeating: "x", count: 24_000)
        let answer = try RawHTTPConnection(port: server.port).request("GET", "/", fields: ["X-Long: \(long)"])
        #expect(try Value(parsing: answer.body)["fields"] == ["host: test", .string("x-long: " + long)])
    }

    @Test func `a body over the limit gets a 413 before it is read`() throws {
        let server = try echo(maximumBodyBytes: 100)
        let connection = try RawHTTPConnection(port: server.port)
        try connection.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 101\r\n\r\n")
        let answer = try connection.readResponse()
        #expect(answer.status == 413)
        #expect(answer["Content-Type"] == "application/problem+json")
        #expect(
            try RawHTTPConnection(port: server.port).request("POST", "/", body: String(repeating: "x", count: 100))
                .status == 200)
    }

    @Test func `a chunked body over the limit is drained and gets a 413, an endless one is cut`() throws {
        let server = try echo(maximumBodyBytes: 100)
        let head = "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        let chunk = "1000\r\n" + String(repeating: "x", count: 4_096) + "\r\n"
        let bounded = try RawHTTPConnection(port: server.port)
        try bounded.send(head + chunk + "0\r\n\r\n")
        #expect(try bounded.readResponse().status == 413)
        let endless = try RawHTTPConnection(port: server.port)
        #expect(throws: RawHTTPConnection.Failure.self) {
            try endless.send(head)
            for _ in 0..<4_000 { try endless.send(chunk) }
            _ = try endless.readResponse()
        }
    }

    /// A head that nearly fills its half of the memory leaves the library room for a byte of the body at a time.
    @Test func `a body behind a long head is read without a rest`() throws {
        let handled = Atomic(0)
        var configuration = Server.Configuration(requestTimeout: .seconds(60))
        configuration.maximumHeadBytes = 16 << 10
        let server = try Server(configuration) { exchange in
            handled.add(exchange.request.body.count, ordering: .relaxed)
            exchange.respond(Response(.ok))
        }
        let body = String(repeating: "x", count: 100_000)
        let start = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: \(body.utf8.count)\r\nX-A: "
        for length in 8_189...8_193 {
            let connection = try RawHTTPConnection(port: server.port, timeout: 90)
            let padding = String(repeating: "a", count: length - start.utf8.count - 4)
            try connection.send(start + padding + "\r\n\r\n" + body)
            #expect(try connection.readResponse().status == 200)
        }
        #expect(handled.load(ordering: .relaxed) == 5 * body.utf8.count)
    }

    @Test func `HEAD gets the head alone`() throws {
        let server = try echo()
        let connection = try RawHTTPConnection(port: server.port)
        let answer = try connection.request("HEAD", "/")
        #expect(answer.status == 200)
        #expect(answer.body.isEmpty)
        // Bytes of a body would be read as the head of this answer.
        #expect(try connection.request("GET", "/").status == 200)
    }

    @Test func `HTTP 1 0 keeps the connection only if asked to`() throws {
        let server = try echo()
        let kept = try RawHTTPConnection(port: server.port)
        for _ in 0..<3 {
            try kept.send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            #expect(try kept.readResponse()["Connection"]?.lowercased() == "keep-alive")
        }
        let closed = try RawHTTPConnection(port: server.port)
        try closed.send("GET / HTTP/1.0\r\n\r\n")
        #expect(try closed.readResponse().status == 200)
        #expect(try closed.readToEnd() == [])
    }

    @Test(arguments: [204, 304])
    func `an answer that has no body by its status is sent without`(code: Int) throws {
        let server = try Server(Server.Configuration()) {
            $0.respond(Response(Status(code: code), fields: Fields([Field(.etag, "\"a\tb\"")]), body: [1, 2, 3]))
        }
        let connection = try RawHTTPConnection(port: server.port)
        for _ in 0..<2 {
            let answer = try connection.request("HEAD", "/")
            #expect(answer.status == code)
            #expect(answer["ETag"] == "\"a b\"")
        }
    }
}
