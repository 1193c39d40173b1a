import Clocks
import FoundationEssentials
import FunctionRuntime
import JSON
import Testing

/// The client of the Runtime API against platforms that are within the rules of HTTP and outside of them, byte by byte.
@Suite struct RuntimeClientTests {
    private static let head = "Lambda-Runtime-Aws-Request-Id: r-1\r\nLambda-Runtime-Deadline-Ms: 1700000000000\r\n"

    /// Answers every request by the turn it has.
    private func withClient(
        _ answer: @escaping @Sendable (SocketServer.Connection) -> Void,
        _ body: (RuntimeClient, SocketServer) throws -> Void
    ) throws {
        let server = try SocketServer { connection in
            while connection.read() { answer(connection) }
        }
        defer { server.stop() }
        try body(try #require(RuntimeClient(address: "127.0.0.1:\(server.port)")), server)
    }

    private func withOneAnswer(_ text: String, _ body: (RuntimeClient, SocketServer) throws -> Void) throws {
        try withClient({ $0.write(text) }, body)
    }

    private func event(_ client: RuntimeClient) -> String { String(decoding: client.event, as: UTF8.self) }

    private func failure(_ body: () throws(RuntimeAPIError) -> Void) -> RuntimeAPIError? {
        do throws(RuntimeAPIError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\n\(head)Content-Length: 5\r\n\r\nevent",
        "HTTP/1.1 200 OK\r\nlambda-runtime-AWS-request-id:r-1\r\nLAMBDA-RUNTIME-DEADLINE-MS:  1700000000000 \r\ncontent-LENGTH:5\r\n\r\nevent",
        "HTTP/1.1 200 \r\nContent-Type: application/json\r\nX-Other: \u{7f}\r\n\(head)Content-Length: 5\r\n\r\nevent",
        "HTTP/1.1 200 OK\r\n\(head)Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2;a=b\r\nev\r\n3\r\nent\r\n0\r\nX-T: 1\r\n\r\n",
    ])
    func `any conforming answer is an invocation`(answer: String) throws {
        try withOneAnswer(answer) { client, server in
            for _ in 0..<2 {
                let invocation = try client.next()
                #expect(invocation == Invocation(id: "r-1", deadline: Timestamp(milliseconds: 1_700_000_000_000)))
                #expect(event(client) == "event")
            }
            #expect(server.connections == 1, "kept open")
        }
    }

    @Test func `an answer may come byte by byte`() throws {
        try withClient({ connection in
            for character in "HTTP/1.1 200 OK\r\n\(Self.head)Content-Length: 5\r\n\r\nevent" {
                connection.write(String(character))
            }
        }) { client, _ in
            _ = try client.next()
            #expect(event(client) == "event")
        }
    }

    @Test func `a platform that closes after every answer is asked again on a new connection`() throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.answer("event", head: "HTTP/1.1 200 OK\r\n\(Self.head)")
        }
        defer { server.stop() }
        let client = try #require(RuntimeClient(address: "127.0.0.1:\(server.port)"))
        for _ in 0..<5 {
            _ = try client.next()
            #expect(event(client) == "event")
        }
        #expect(server.connections >= 5)
    }

    @Test func `an event of five megabytes comes whole`() throws {
        let large = String(repeating: "x", count: 5 << 20)
        try withClient({ $0.answer(large, head: "HTTP/1.1 200 OK\r\n\(Self.head)") }) { client, _ in
            _ = try client.next()
            #expect(client.event.count == 5 << 20)
        }
    }

    @Test func `answers and errors are sent whole, with their type`() throws {
        try withOneAnswer("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n") { client, server in
            #expect(try client.respond(to: "r-1", with: Array("{}".utf8)) == .accepted)
            #expect(try client.fail("r-1", with: .unknownTrigger) == .accepted)
            let sent = server.requests
            #expect(sent.first?.hasPrefix("POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1\r\n") == true)
            #expect(sent.first?.hasSuffix("\r\n\r\n{}") == true)
            #expect(sent.last?.contains("Lambda-Runtime-Function-Error-Type: Runtime.UnknownTrigger\r\n") == true)
            let body = try #require(sent.last?.components(separatedBy: "\r\n\r\n").last)
            #expect(try JSON.Value(parsing: body.utf8)["errorType"] == "Runtime.UnknownTrigger")
        }
    }

    @Test(arguments: [400, 403, 410, 413]) func `a refused answer is told, and the next one can be sent`(status: Int)
        throws
    {
        try withOneAnswer("HTTP/1.1 \(status) No\r\nContent-Length: 2\r\n\r\n{}") { client, _ in
            for _ in 0..<2 {
                let delivery = try client.respond(to: "r", with: [])
                #expect(delivery == .refused(status: status))
            }
        }
    }

    @Test func `a 500 ends the process`() throws {
        try withOneAnswer("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n") { client, _ in
            #expect(failure { () throws(RuntimeAPIError) in _ = try client.next() } == .containerError)
        }
    }

    @Test(arguments: [
        "HTTP/2 200\r\n\r\n", "garbage\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\(head)Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\n\(head)Content-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\(head)Content-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\(head)Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\n\(head)Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
    ])
    func `what is no answer is an error and never a trap`(answer: String) throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.write(answer)
        }
        defer { server.stop() }
        let client = try #require(RuntimeClient(address: "127.0.0.1:\(server.port)"))
        let error = failure { () throws(RuntimeAPIError) in _ = try client.next() }
        #expect(error != nil)
        #expect(error != .containerError)
    }

    @Test func `a platform that is gone is unreachable`() throws {
        let server = try SocketServer { _ in }
        let client = try #require(RuntimeClient(address: "127.0.0.1:\(server.port)"))
        server.stop()
        guard case .unreachable = failure({ () throws(RuntimeAPIError) in _ = try client.next() }) else {
            Issue.record("reached")
            return
        }
    }

    @Test(arguments: ["", "host", "host:", ":1", "host:0", "host:70000", "h ost:1", "host:1:2"])
    func `an address that is no host and port is refused`(address: String) {
        #expect(RuntimeClient(address: address) == nil)
    }
}
