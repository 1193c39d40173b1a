import Curl
import Foundation
import HTTP
import Locks
import Testing

private let short = ClientLimits(total: .milliseconds(600), connect: .milliseconds(300))

@Suite struct CurlClientTests {
    @Test func `a request goes out whole, and its answer comes back`() throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.answer(#"{"a":1}"#, head: "HTTP/1.1 201 Created\r\nX-Note: one \r\nRetry-After: 7\r\n")
        }
        defer { server.stop() }
        let fields = Fields([Field(.contentType, "application/json"), Field(.contentLength, "999")])
        let call = call(CurlClient(), server.url + "?a=%2F&b=..", method: .post, fields: fields, body: #"{"q":"ü"}"#)
        #expect(call.response?.status == Status(code: 201))
        #expect(call.response?.fields[.retryAfter] == "7")
        #expect(call.text == #"{"a":1}"#)
        #expect(call.looks == 1)
        #expect(call.sents == 1)
        let request = try #require(server.requests.first)
        #expect(request.hasPrefix("POST /token?a=%2F&b=.. HTTP/1.1\r\n"))
        #expect(request.contains("\r\nUser-Agent: token-server\r\n"))
        #expect(request.contains("\r\nContent-Length: 10\r\n"))
        #expect(!request.contains(": 999") && !request.contains("Expect:"))
        #expect(request.hasSuffix("\r\n\r\n" + #"{"q":"ü"}"#))
    }

    @Test(arguments: [HTTP.Method.get, .post, .put])
    func `a request without a body says so and does not wait for one`(method: HTTP.Method) throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.answer("ok")
        }
        defer { server.stop() }
        let call = call(CurlClient(), server.url, method: method)
        #expect(call.text == "ok")
        #expect(call.sents == 1)
        #expect(server.requests.first?.hasPrefix(method.rawValue + " /token HTTP/1.1\r\n") == true)
        #expect(server.requests.first?.contains("Content-Type") == false)
    }

    @Test func `a large body is counted as sent once, when all of it is`() throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.answer("ok")
        }
        defer { server.stop() }
        let call = call(CurlClient(), server.url, method: .post, body: String(repeating: "x", count: 2_000_000))
        #expect(call.text == "ok")
        #expect(call.sents == 1)
        #expect(server.requests.count == 1)
    }

    // MARK: Nothing was sent

    @Test func `a look that says no sends nothing`() throws {
        let server = try SocketServer { $0.read() }
        defer { server.stop() }
        let call = call(CurlClient(), server.url, method: .post, body: "x", look: { false })
        #expect(call.error == .notSent(.stopped))
        #expect(call.looks == 1)
        #expect(call.sents == 0)
        #expect(server.requests.isEmpty)
    }

    @Test func `a look that takes all the time sends nothing`() throws {
        let server = try SocketServer { $0.read() }
        defer { server.stop() }
        let call = call(CurlClient(), server.url, limits: short) {
            Thread.sleep(forTimeInterval: 0.7)
            return true
        }
        #expect(call.error == .notSent(.connectTimeout))
        #expect(call.sents == 0)
        #expect(server.requests.isEmpty)
    }

    @Test func `a port where nobody listens is no connection`() throws {
        let port = try ReservedPort()
        let call = call(CurlClient(), "http://127.0.0.1:\(port.number)/token")
        #expect(call.error == .notSent(.connect))
        #expect(call.looks == 0)
        #expect(call.sents == 0)
    }

    @Test func `a listener that takes no more connections is none in time`() throws {
        let server = try SocketServer(backlog: 0, nil)
        defer { server.stop() }
        // The queue of a listener that never accepts: full after this.
        let fillers = (0..<4).map { _ in filler(server.port) }
        defer { fillers.forEach { close($0) } }
        let call = call(CurlClient(), server.url, limits: short)
        #expect(call.error == .notSent(.connectTimeout))
        #expect(call.looks == 0)
    }

    private func filler(_ port: UInt16) -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return descriptor
    }

    @Test(arguments: ["", "ftp://127.0.0.1/", "file:///etc/passwd", "http://user@127.0.0.1:1/"])
    func `what is no http URL is not tried`(url: String) {
        let call = call(CurlClient(), url)
        #expect(call.error == .notSent(.badURL))
        #expect(call.looks == 0)
    }

    @Test func `a name that does not resolve is told apart`() {
        #expect(call(CurlClient(), "http://nobody.invalid/").error == .notSent(.resolve))
    }

    @Test func `a certificate that nobody signed is a failure of TLS, unless it is the one to trust`() throws {
        let tls = try TLSServer()
        defer { tls.stop() }
        let refused = call(CurlClient(), tls.url)
        #expect(refused.error == .notSent(.tls))
        #expect(refused.looks == 0)
        let trusted = call(CurlClient(certificates: tls.certificate), tls.url)
        #expect(trusted.response?.status == .ok)
        #expect(trusted.looks == 1)
        #expect(trusted.sents == 1)
        // Right certificate, wrong name.
        let misnamed = tls.url.replacingOccurrences(of: "localhost", with: "127.0.0.1")
        #expect(call(CurlClient(certificates: tls.certificate), misnamed).error == .notSent(.tls))
        #expect(call(CurlClient(certificates: "/nonexistent.pem"), tls.url).error == .notSent(.tls))
    }

    @Test func `a server that does not speak TLS is a failure of TLS`() throws {
        let server = try SocketServer { connection in
            connection.write("HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.read()
        }
        defer { server.stop() }
        #expect(call(CurlClient(), "https://127.0.0.1:\(server.port)/").error == .notSent(.tls))
    }

    // MARK: The server may have acted

    /// What a server does after it read the request, and what that is to the caller.
    enum Trouble: String, CaseIterable {
        case reset, close, silence, partialHead, truncatedBody, truncatedChunks, overLong, overLongChunked,
            overLongHead, slow, junk, http09

        var expected: ClientError.Ambiguous {
            switch self {
            case .reset, .close: .reset
            case .silence, .slow: .timeout
            case .partialHead, .truncatedBody, .truncatedChunks: .truncated
            case .overLong, .overLongChunked, .overLongHead: .tooLarge
            case .junk, .http09: .malformed
            }
        }

        /// - Parameter isOver: whether the caller has its answer.
        func serve(_ connection: SocketServer.Connection, until isOver: () -> Bool) {
            guard connection.read() else { return }
            switch self {
            case .reset: connection.resetOnClose()
            case .close: break
            case .silence: wait(until: isOver)
            case .partialHead: connection.write("HTTP/1.1 200 OK\r\nContent-")
            case .truncatedBody: connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            case .truncatedChunks:
                connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            case .overLong: connection.answer(String(repeating: "x", count: 70_000))
            case .overLongChunked:
                let chunk = "ffff\r\n" + String(repeating: "x", count: 0xFFFF) + "\r\n"
                connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk + "0\r\n\r\n")
            case .overLongHead:
                connection.answer("", head: "HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 20_000))\r\n")
            case .slow:
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
                for _ in 0..<99 where !isOver() {
                    connection.write("x")
                    Thread.sleep(forTimeInterval: 0.1)
                }
            case .junk: connection.write("HTTP/x.y zzz\r\n\r\n")
            case .http09: connection.write("<html>hello</html>")
            }
        }
    }

    @Test(arguments: Trouble.allCases)
    func `after the request was sent every failure is ambiguous`(trouble: Trouble) throws {
        let isOver = Lock(false)
        let server = try SocketServer { trouble.serve($0) { isOver.withLock { $0 } } }
        defer { server.stop() }
        // What ends by time may run out of it before anything was sent, on a busy machine; then there was too little.
        var time = Duration.milliseconds(trouble.expected == .timeout ? 300 : 60_000)
        var outcome: Call
        repeat {
            time *= 2
            let limits = ClientLimits(total: time, connect: time)
            outcome = call(CurlClient(), server.url, method: .post, body: "x", limits: limits)
        } while outcome.error == .notSent(.connectTimeout) && time < .seconds(60)
        // The server may read a little after the caller has given up.
        wait { !server.requests.isEmpty }
        isOver.withLock { $0 = true }
        #expect(outcome.error == .ambiguous(trouble.expected))
        #expect(outcome.looks == 1)
        #expect(outcome.sents == 1)
        #expect(server.requests.count == 1)
    }

    @Test func `a request that is cut off half way is ambiguous, and counts as sent`() throws {
        let server = try SocketServer { connection in
            var buffer = [UInt8](repeating: 0, count: 1_000)
            _ = recv(connection.descriptor, &buffer, buffer.count, 0)
            connection.resetOnClose()
        }
        defer { server.stop() }
        let call = call(CurlClient(), server.url, method: .post, body: String(repeating: "x", count: 20_000_000))
        #expect(call.error == .ambiguous(.reset))
        #expect(call.sents == 1)
        #expect(server.connections == 1)
    }

    // MARK: Answers

    @Test func `a redirect is an answer and is not followed`() throws {
        let server = try SocketServer { connection in
            connection.read()
            let head = "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\n"
            connection.answer("", head: head)
        }
        defer { server.stop() }
        let client = CurlClient()
        #expect(call(client, server.url).response?.status.code == 302)
        #expect(call(client, server.url).response?.fields[.location] == "/elsewhere")
        #expect(server.requests.count == 2)
        #expect(server.requests.allSatisfy { !$0.contains("elsewhere") && !$0.contains("Cookie") })
    }

    @Test(
        arguments: [
            "HTTP/1.0 200 OK\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: t\r\n\r\n",
            "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        ])
    func `every framing of HTTP/1 gives the same answer`(answer: String) throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.write(answer)
        }
        defer { server.stop() }
        let call = call(CurlClient(), server.url)
        #expect(call.text == "hello")
        #expect(call.response?.status == .ok)
        #expect(
            call.response?.fields.contains { $0.name.lowercased == "x-trailer" || $0.name.lowercased == "x-early" }
                == false)
    }

    @Test func `an answer of exactly the limit is taken`() throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.answer(String(repeating: "x", count: 65_536))
        }
        defer { server.stop() }
        #expect(call(CurlClient(), server.url).response?.body.count == 65_536)
    }
}
