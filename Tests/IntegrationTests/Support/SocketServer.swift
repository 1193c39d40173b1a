import Foundation
import Locks

/// A server that does with each connection exactly what a test says, byte by byte.
final class SocketServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let isAccepting: Bool
    private let log = Log()

    /// What reached the server; the threads of a test write and read it.
    private final class Log: @unchecked Sendable {
        private let lock = NSLock()
        private var connections = 0
        private var requests: [String] = []

        func accepted() { lock.withLock { connections += 1 } }
        func received(_ request: String) { lock.withLock { requests.append(request) } }
        var state: (connections: Int, requests: [String]) { lock.withLock { (connections, requests) } }
    }

    var connections: Int { log.state.connections }
    /// Heads and bodies of what was received, whole or not.
    var requests: [String] { log.state.requests }
    var url: String { "http://127.0.0.1:\(port)/token" }

    /// - Parameters:
    ///   - address: another of this machine's own.
    ///   - serve: runs on a thread of its own for each connection, which is closed afterwards; nil never accepts.
    init(
        address host: UInt32 = 0x7F00_0001, port: UInt16 = 0, backlog: Int32 = 16,
        _ serve: (@Sendable (Connection) -> Void)?
    ) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = host.bigEndian
        address.sin_port = port.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && listen(descriptor, backlog) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard isBound else { throw POSIXError(.EADDRNOTAVAIL) }
        self.port = UInt16(bigEndian: address.sin_port)
        isAccepting = serve != nil
        guard let serve else { return }
        let log = self.log
        Thread.detachNewThread {
            while true {
                let accepted = accept(descriptor, nil, nil)
                guard accepted >= 0 else {
                    // Closed here alone: a number that is free again may be another server's before this thread has seen it.
                    close(descriptor)
                    return
                }
                // A process that a parallel test starts would keep the connection open after we closed it.
                _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
                log.accepted()
                Thread.detachNewThread {
                    let connection = Connection(descriptor: accepted) { log.received($0) }
                    serve(connection)
                    close(accepted)
                }
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        if !isAccepting { close(listener) }
    }

    struct Connection: Sendable {
        let descriptor: Int32
        let received: @Sendable (String) -> Void

        /// Reads one request, its body by `Content-Length`; false when the peer closed first.
        @discardableResult func read() -> Bool {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while !isWhole(bytes) {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else {
                    if !bytes.isEmpty { received(String(decoding: bytes, as: UTF8.self)) }
                    return false
                }
                bytes += buffer[..<count]
            }
            received(String(decoding: bytes, as: UTF8.self))
            return true
        }

        func write(_ text: String) {
            let bytes = Array(text.utf8)
            _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }

        func answer(_ body: String, head: String = "HTTP/1.1 200 OK\r\n") {
            write(head + "Content-Length: \(body.utf8.count)\r\n\r\n" + body)
        }

        /// Makes the close a reset: what is unread or unsent is thrown away.
        func resetOnClose() {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }

        private func isWhole(_ bytes: [UInt8]) -> Bool {
            let text = String(decoding: bytes, as: UTF8.self)
            guard let end = text.range(of: "\r\n\r\n") else { return false }
            let lines = text[..<end.lowerBound].lowercased().components(separatedBy: "\r\n")
            let length = lines.first { $0.hasPrefix("content-length:") }.flatMap {
                Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces))
            }
            return text[end.upperBound...].utf8.count >= length ?? 0
        }
    }
}
