import Curl
import Foundation
import HTTP
import Testing

/// Who connects where: every listener here counts.
@Suite struct EgressTests {
    private static func client(_ policy: EgressPolicy = EgressPolicy()) -> CurlClient {
        CurlClient(mayConnect: { policy.permits($0, at: $1) })
    }

    private static func answering() throws -> SocketServer {
        try SocketServer { connection in
            while connection.read() { connection.answer("ok") }
        }
    }

    /// Two listeners at one port: on 127.0.0.2, and on 127.0.0.1, where another may have taken a port that is free on the first.
    private static func pair() throws -> (outside: SocketServer, inside: SocketServer) {
        func server(_ text: String, address: UInt32, port: UInt16) throws -> SocketServer {
            try SocketServer(address: address, port: port) { connection in
                connection.read()
                // Not kept: the next call must connect.
                connection.answer(text, head: "HTTP/1.1 200 OK\r\nConnection: close\r\n")
            }
        }
        for _ in 0..<50 {
            let outside = try server("outside", address: 0x7F00_0002, port: 0)
            if let inside = try? server("inside", address: 0x7F00_0001, port: outside.port) { return (outside, inside) }
            outside.stop()
        }
        throw POSIXError(.EADDRNOTAVAIL)
    }

    @Test(arguments: ["127.0.0.1", "[::ffff:127.0.0.1]", "127.0.0.1,8.8.8.8", "[::1],127.0.0.1", "0.0.0.0"])
    func `a name that leads inside is refused before anything connects`(addresses: String) throws {
        let server = try EgressTests.answering()
        defer { server.stop() }
        let client = EgressTests.client()
        client.pinnedNames = ["rebind.test:\(server.port):\(addresses)"]
        for scheme in ["https", "http"] {
            let call = call(client, "\(scheme)://rebind.test:\(server.port)/token")
            #expect(call.error == .notSent(.refusedAddress), "\(scheme)")
            #expect(call.looks == 0)
        }
        #expect(server.connections == 0)
        // The same addresses without a policy: the listener is where they say.
        if addresses.hasPrefix("[::1]") { return }
        let open = CurlClient()
        open.pinnedNames = client.pinnedNames
        #expect(call(open, "http://rebind.test:\(server.port)/token").text == "ok")
    }

    @Test(arguments: ["https://127.0.0.1", "https://localhost", "http://127.0.0.1"])
    func `the client refuses by itself what nobody has looked at before`(origin: String) throws {
        let server = try EgressTests.answering()
        defer { server.stop() }
        #expect(call(EgressTests.client(), "\(origin):\(server.port)/").error == .notSent(.refusedAddress))
        #expect(server.connections == 0)
    }

    @Test func `infisical#5992: a resolver that answers otherwise the second time gets nothing through`() throws {
        let (outside, inside) = try EgressTests.pair()
        defer {
            outside.stop()
            inside.stop()
        }
        // What is outside must be an address of this machine: no test connects elsewhere.
        let open = IPAddress("127.0.0.2")
        let client = CurlClient(mayConnect: { $1 == open })
        let url = "http://rebind.test:\(outside.port)/token"
        client.pinnedNames = ["rebind.test:\(outside.port):127.0.0.2"]
        #expect(call(client, url).text == "outside")
        client.pinnedNames = ["rebind.test:\(outside.port):127.0.0.1"]
        for _ in 0..<3 { #expect(call(client, url).error == .notSent(.refusedAddress)) }
        client.pinnedNames = ["rebind.test:\(outside.port):127.0.0.1,127.0.0.2"]
        #expect(call(client, url).error == .notSent(.refusedAddress))
        client.pinnedNames = ["rebind.test:\(outside.port):127.0.0.2"]
        #expect(call(client, url).text == "outside")
        #expect(inside.connections == 0)
        #expect(outside.connections == 2)
    }

    @Test func `a kept connection carries nothing for which its address is refused`() throws {
        let server = try EgressTests.answering()
        defer { server.stop() }
        let isOpen = NSLock()
        nonisolated(unsafe) var allowed = true
        let client = CurlClient(mayConnect: { _, _ in isOpen.withLock { allowed } })
        #expect(call(client, server.url).text == "ok")
        isOpen.withLock { allowed = false }
        let refused = call(client, server.url, method: .post, body: "x")
        #expect(refused.error == .notSent(.refusedAddress))
        #expect(refused.looks == 0)
        #expect(refused.sents == 0)
        #expect(server.requests.count == 1)
    }

    @Test func `a name that the operator lists may lie inside, at its port alone`() throws {
        let server = try EgressTests.answering()
        defer { server.stop() }
        let other = try EgressTests.answering()
        defer { other.stop() }
        let client = EgressTests.client(try EgressPolicy(parsing: "provider.test:\(server.port)"))
        client.pinnedNames = [server.port, other.port].map { "provider.test:\($0):127.0.0.1" }
        #expect(call(client, "http://provider.test:\(server.port)/").text == "ok")
        #expect(call(client, "http://provider.test:\(other.port)/").error == .notSent(.refusedAddress))
        #expect(other.connections == 0)
    }
}
