import Clocks
import Fibers
import Foundation
import MariaDB
import SQL
import Testing

/// What a server must prove before it is told anything.
@Suite struct DatabaseTLSTests {
    private static let user = "canary-user"
    private static let password = "canary-password"

    private func connection(_ port: UInt16, _ options: String, host: String = "127.0.0.1") throws -> MariaDBConnection {
        let text = "mysql://\(Self.user):\(Self.password)@\(host):\(port)/canary-database?\(options)"
        guard case .mysql(let server) = try DatabaseURL(parsing: text) else { throw POSIXError(.EINVAL) }
        return MariaDBConnection(MariaDBConfiguration(server))
    }

    @Test func `an authority that did not sign the server's certificate is no authority`() throws {
        let server = try MariaDBServer(.init(usesTLS: true))
        let stranger = try ScratchFolder.make()
        try MariaDBTemplate.makeCertificates(in: stranger, names: "DNS:localhost,IP:127.0.0.1")
        let right = server.url(options: "tls=verify&ca=" + server.certificateAuthority)
        #expect(try server.connection(to: right).rows("SELECT 1").count == 1)
        for file in [stranger + "/ca.pem", "/nonexistent.pem"] {
            let wrong = server.url(options: "tls=verify&ca=" + file)
            let error = failure(of: { try server.connection(to: wrong).rows("SELECT 1") })
            #expect(error?.code == .tls, "\(file)")
        }
    }

    /// Passes on what comes, through a receive buffer that is soon full.
    private static func narrowWay(to port: UInt16) throws -> SocketServer {
        try SocketServer { connection in
            var room: Int32 = 128 << 10
            setsockopt(connection.descriptor, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(MemoryLayout<Int32>.size))
            guard let server = try? RawHTTPConnection(port: port, timeout: 60) else { return }
            let descriptor = server.descriptor
            let back = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                Self.copy(from: descriptor, to: connection.descriptor)
                shutdown(connection.descriptor, Int32(SHUT_RDWR))
                back.signal()
            }
            Self.copy(from: connection.descriptor, to: descriptor)
            shutdown(descriptor, Int32(SHUT_RDWR))
            back.wait()
        }
    }

    private static func copy(from source: Int32, to sink: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            usleep(1_000)
            var sent = 0
            while sent < count {
                let more = buffer[sent..<count].withUnsafeBytes {
                    send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard more > 0 else { return }
                sent += more
            }
        }
    }

    @Test func `a statement larger than what the network holds is sent in pieces, on a thread and on a fiber`() throws {
        let server = try MariaDBServer(.init(usesTLS: true))
        let way = try Self.narrowWay(to: server.port)
        defer { way.stop() }
        let value = [UInt8](repeating: 7, count: 8 << 20)
        for mode in ["tls=off", "tls=require", "tls=verify&ca=" + server.certificateAuthority] {
            let address = server.url(options: mode).replacingOccurrences(
                of: ":\(server.port)/", with: ":\(way.port)/")
            let onThread = try server.connection(to: address)
            #expect(try onThread.rows("SELECT LENGTH(\(value))").first?.integer(0) == 8 << 20)
            let onFiber = try server.connection(to: address)
            let loop = try #require(EventLoop())
            var result: Result<Int64?, any Error>?
            let fiber = Fiber(on: loop) {
                result = Result { try onFiber.rows("SELECT LENGTH(\(value))").first?.integer(0) }
            }
            fiber.resume()
            let end = ContinuousClock.now + .seconds(60)
            while result == nil, .now < end { loop.turn(atMost: .milliseconds(10)) }
            #expect(try result?.get() == 8 << 20)
        }
    }

    /// A server's greeting (https://mariadb.com/docs/server/reference/clientserver-protocol/1-connecting/connection).
    private static func greeting(offersTLS: Bool) -> [UInt8] {
        // PROTOCOL_41, SECURE_CONNECTION, CONNECT_WITH_DB, PLUGIN_AUTH; and SSL.
        let capabilities: UInt32 = 0x0008_8208 | (offersTLS ? 0x800 : 0)
        let low = [UInt8(capabilities & 0xFF), UInt8(capabilities >> 8 & 0xFF)]
        let high = [UInt8(capabilities >> 16 & 0xFF), UInt8(capabilities >> 24)]
        var packet: [UInt8] = [10] + Array("8.0.36".utf8) + [0]
        packet += [1, 0, 0, 0] + Array("12345678".utf8) + [0]
        packet += low + [45, 2, 0] + high + [21]
        packet += Array(repeating: 0, count: 10) + Array("123456789012".utf8) + [0]
        packet += Array("mysql_native_password".utf8) + [0]
        return [UInt8(packet.count), 0, 0, 0] + packet
    }

    /// Whether the client has said all that it says before the server speaks again: a packet of the protocol, and if that is the
    /// request for TLS, which has 32 bytes, the first record of TLS behind it.
    private static func waitsForAnswer(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 4 else { return false }
        let packet = 4 + Int(bytes[0]) + Int(bytes[1]) << 8 + Int(bytes[2]) << 16
        guard packet == 36 else { return bytes.count >= packet }
        return bytes.count >= 41 && bytes.count >= 41 + Int(bytes[39]) << 8 + Int(bytes[40])
    }

    /// A server that greets, then listens to what it is told.
    private func heard(offersTLS: Bool, _ options: String) throws -> (bytes: [UInt8], error: DatabaseError?) {
        let told = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var bytes: [UInt8] = []
        let server = try SocketServer { connection in
            let greeting = Self.greeting(offersTLS: offersTLS)
            _ = send(connection.descriptor, greeting, greeting.count, Int32(MSG_NOSIGNAL))
            var buffer = [UInt8](repeating: 0, count: 65_536)
            var patience = timeval(tv_sec: 30, tv_usec: 0)
            setsockopt(
                connection.descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            while !Self.waitsForAnswer(bytes) {
                let count = recv(connection.descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { break }
                bytes += buffer[..<count]
            }
            told.signal()
        }
        defer { server.stop() }
        let error = failure(of: { try connection(server.port, options).rows("SELECT 1") })
        told.wait()
        return (bytes, error)
    }

    @Test(arguments: ["tls=verify", "tls=require"])
    func `a server that offers no TLS is told nothing`(options: String) throws {
        let (bytes, error) = try heard(offersTLS: false, options)
        #expect(error?.code == .tls)
        // Nothing, or the goodbye of the protocol.
        #expect(bytes.isEmpty || bytes == [1, 0, 0, 0, 1], "\(bytes)")
    }

    @Test(arguments: ["tls=verify", "tls=require"])
    func `a server that offers TLS learns no name before it has proven itself`(options: String) throws {
        let (bytes, error) = try heard(offersTLS: true, options)
        #expect(error != nil)
        // The request for TLS, which has 32 bytes, then a record of TLS.
        #expect(bytes.count > 36 && bytes[0] == 32 && bytes[36] == 0x16, "\(bytes.prefix(40))")
        let text = String(decoding: bytes, as: UTF8.self)
        for canary in [Self.user, Self.password, "canary-database"] { #expect(!text.contains(canary)) }
    }

    @Test(arguments: ["tls=verify", "tls=require"], [false, true])
    func `a server that breaks off instead of greeting is away`(options: String, isReset: Bool) throws {
        let server = try SocketServer { connection in
            if isReset { connection.resetOnClose() }
        }
        defer { server.stop() }
        #expect(failure(of: { try connection(server.port, options).rows("SELECT 1") })?.code == .unavailable)
    }

    @Test func `without TLS the name is told, so that the tests above can see one`() throws {
        let (bytes, _) = try heard(offersTLS: true, "tls=off")
        #expect(String(decoding: bytes, as: UTF8.self).contains(Self.user))
    }
}
