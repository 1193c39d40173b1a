import Clocks
import Curl
import Foundation
import HTTP
import Locks
import Testing

@Suite struct KeptConnectionTests {
    @Test(arguments: [false, true])
    func `a connection that is reset during the look has sent nothing, kept or not`(isKept: Bool) throws {
        let breaks = DispatchSemaphore(value: 0)
        let server = try SocketServer { connection in
            if isKept {
                connection.read()
                connection.answer("ok")
            }
            breaks.wait()
            connection.resetOnClose()
        }
        defer { server.stop() }
        let client = CurlClient()
        if isKept { #expect(call(client, server.url).text == "ok") }
        let limits = ClientLimits(total: .seconds(60))
        let call = call(client, server.url, method: .post, body: "x", limits: limits) {
            breaks.signal()
            waitUntilEnded(server.port)
            return true
        }
        breaks.signal()
        #expect(call.error == .notSent(.connect))
        #expect(call.looks == 1)
        #expect(call.sents == 0)
        #expect(server.requests.count == (isKept ? 1 : 0))
    }

    @Test func `a connection is kept, and every call looks once`() throws {
        let server = try SocketServer { connection in
            while connection.read() { connection.answer("ok") }
        }
        defer { server.stop() }
        let client = CurlClient()
        for _ in 0..<5 {
            let call = call(client, server.url, method: .post, body: "x")
            #expect(call.text == "ok")
            #expect(call.looks == 1)
            #expect(call.sents == 1)
        }
        #expect(call(client, server.url, look: { false }).error == .notSent(.stopped))
        #expect(server.connections == 1)
        #expect(server.requests.count == 5)
    }

    @Test(arguments: [false, true])
    func `a kept connection that dies under a request does not make it two`(isReset: Bool) throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.answer("ok")
            connection.read()
            if isReset { connection.resetOnClose() }
        }
        defer { server.stop() }
        let client = CurlClient()
        #expect(call(client, server.url, method: .post, body: "1").text == "ok")
        let second = call(client, server.url, method: .post, body: "2")
        #expect(second.error == .ambiguous(.reset))
        #expect(second.looks == 1)
        #expect(second.sents == 1)
        #expect(server.requests.count == 2)
        // The client is as good as new.
        #expect(call(client, server.url, method: .post, body: "3").text == "ok")
    }

    @Test func `a kept connection that was closed while idle is replaced without harm`() throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.answer("ok")
        }
        defer { server.stop() }
        let client = CurlClient()
        for _ in 0..<3 {
            let call = call(client, server.url)
            #expect(call.text == "ok")
            #expect(call.looks == 1)
            waitUntilEnded(server.port)
        }
        #expect(server.requests.count == 3)
    }

    @Test func `a connection that was idle too long by either clock is not used again`() throws {
        let server = try SocketServer { connection in
            while connection.read() { connection.answer("ok") }
        }
        defer { server.stop() }
        let clock = SteppedClock()
        let client = CurlClient(clock: clock)
        #expect(call(client, server.url).text == "ok")
        clock.advance(.seconds(9))
        #expect(call(client, server.url).text == "ok")
        #expect(server.connections == 1)
        clock.advance(.seconds(11))
        #expect(call(client, server.url).text == "ok")
        #expect(server.connections == 2)
    }

    private final class SteppedClock: Clock, @unchecked Sendable {
        private let lock = NSLock()
        private var moment = Moment(wall: Timestamp(milliseconds: 0), steady: .zero)

        func now() -> Moment { lock.withLock { moment } }
        func advance(_ duration: Duration) { lock.withLock { moment.wall = moment.wall + duration } }
    }

    @Test func `a client that ends leaves no connection open`() throws {
        let server = try SocketServer { connection in
            while connection.read() { connection.answer("ok") }
        }
        defer { server.stop() }
        for _ in 0..<20 { #expect(call(CurlClient(), server.url).text == "ok") }
        #expect(server.connections == 20)
        #expect(sockets(to: server.port) == [])
    }

    @Test func `failures leave no more connections open than are kept`() throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
        }
        defer { server.stop() }
        let client = CurlClient()
        // Cut or reset: on a busy machine the close may overtake the bytes.
        let cut: Set<ClientError.Ambiguous> = [.truncated, .reset]
        for _ in 0..<20 {
            guard case .ambiguous(let reason) = call(client, server.url).error else {
                Issue.record("no failure")
                continue
            }
            #expect(cut.contains(reason))
        }
        #expect(sockets(to: server.port) == [])
    }

    /// Waits until this process has seen that the server has closed or reset every connection.
    private func waitUntilEnded(_ port: UInt16) {
        for _ in 0..<20_000 where sockets(to: port).contains(where: isEstablished) { usleep(1_000) }
    }

    /// Whether neither side has closed it: the state with which `tcp_info` of tcp(7) begins.
    private func isEstablished(_ descriptor: Int32) -> Bool {
        var info = [UInt8](repeating: 0, count: 256)
        var length = socklen_t(info.count)
        return getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0
            && info[0] == UInt8(TCP_ESTABLISHED)
    }

    /// Sockets of this process whose peer is that port; other tests' do not count.
    private func sockets(to port: UInt16) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }.filter { descriptor in
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    getpeername(descriptor, $0, &length) == 0
                }
            }
            return isConnected && address.sin_family == sa_family_t(AF_INET)
                && UInt16(bigEndian: address.sin_port) == port
        }
    }
}
