import CSystem
import Glibc

/// A TCP connection that sends exactly the bytes it is given and shows exactly what came back; reads give up after 10 s.
final class RawHTTPConnection {
    struct Response {
        var status: Int
        var version: String
        var fields: [(name: String, value: String)]
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }

        subscript(name: String) -> String? {
            fields.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    enum Failure: Error, Equatable {
        case connect
        /// The peer closed in order, before the answer was whole.
        case closed
        /// The peer sent RST.
        case reset
        case timeout
        case malformed
    }

    let descriptor: Int32
    private var received: [UInt8] = []
    private var isOpen = true

    init(port: UInt16, address host: UInt32 = 0x7F00_0001, timeout: Int = 60) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var time = timeval(tv_sec: timeout, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = host.bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Failure.connect }
    }

    deinit { close() }

    func close() {
        if isOpen { Glibc.close(descriptor) }
        isOpen = false
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure.reset }
            sent += count
        }
    }

    /// Says that nothing more will be sent; the answer can still be read.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Sends a whole request that keeps the connection, and reads its answer.
    func request(_ method: String, _ target: String, fields: [String] = [], body: String? = nil) throws -> Response {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: test\r\n"
        for field in fields { head += field + "\r\n" }
        if let body { head += "Content-Length: \(body.utf8.count)\r\n" }
        try send(head + "\r\n" + (body ?? ""))
        return try readResponse(toHead: method == "HEAD")
    }

    /// Reads one answer by its Content-Length; an answer to HEAD has no body whatever its length says.
    func readResponse(toHead: Bool = false) throws -> Response {
        while !received.containsHeadEnd { try receive() }
        let end = received.headEnd
        let lines = String(decoding: received[..<(end - 4)], as: UTF8.self).split(
            separator: "\r\n", omittingEmptySubsequences: false)
        received.removeFirst(end)
        let start = lines.first.map { $0.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false) } ?? []
        guard start.count >= 2, let status = Int(start[1]) else { throw Failure.malformed }
        var response = Response(status: status, version: String(start[0]), fields: [], body: [])
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw Failure.malformed }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            response.fields.append((name: String(line[..<colon]), value: String(value)))
        }
        if status == 100 { return try readResponse(toHead: toHead) }
        guard !toHead, let length = response["Content-Length"].flatMap({ Int($0) }) else { return response }
        while received.count < length { try receive() }
        response.body = Array(received[..<length])
        received.removeFirst(length)
        return response
    }

    /// Everything until the peer closes; throws `.reset` where it does not close in order.
    func readToEnd() throws -> [UInt8] {
        while true {
            do { try receive() } catch Failure.closed { return received }
        }
    }

    private func receive() throws {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else {
            throw switch csystem_errno() {
            case EAGAIN: Failure.timeout
            default: Failure.reset
            }
        }
        guard count > 0 else { throw Failure.closed }
        received.append(contentsOf: buffer[..<count])
    }
}

extension [UInt8] {
    fileprivate var containsHeadEnd: Bool { headEnd > 0 }

    /// Where the blank line of the head ends; 0 without one.
    fileprivate var headEnd: Int {
        guard count >= 4 else { return 0 }
        for index in 0...(count - 4)
        where self[index] == 13 && self[index + 1] == 10 && self[index + 2] == 13 && self[index + 3] == 10 {
            return index + 4
        }
        return 0
    }
}
