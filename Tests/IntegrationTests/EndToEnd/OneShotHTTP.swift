import Glibc
import JSON

/// One HTTP/1.1 request on a connection of its own, written and read by hand: no part of the project judges itself.
enum OneShotHTTP {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Sends one request and reads one whole response.
    ///
    /// - Parameters:
    ///   - url: `http://127.0.0.1:PORT/…`; what follows the port is sent as it stands.
    ///   - timeout: for every single read and write, in whole seconds.
    static func send(
        _ method: String, _ url: String, fields: [(name: String, value: String)] = [], body: [UInt8] = [],
        timeout: Int = 30
    ) throws -> Answer {
        let (port, target) = try split(url)
        let connection = try connect(port: port, timeout: timeout)
        defer { close(connection) }

        var head = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        for field in fields { head += "\(field.name): \(field.value)\r\n" }
        if !body.isEmpty { head += "Content-Length: \(body.count)\r\n" }
        try write(Array((head + "\r\n").utf8) + body, to: connection)

        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count >= 0 else { throw Failure(description: "\(method) \(url): no answer in time, or a reset") }
            received += buffer[..<count]
            if let answer = try Answer(received, isComplete: count == 0, method: method) { return answer }
            if count == 0 { throw Failure(description: "\(method) \(url): cut after \(received.count) bytes") }
        }
    }

    /// Sends JSON text.
    static func send(
        _ method: String, _ url: String, fields: [(name: String, value: String)] = [], json: String
    ) throws -> Answer {
        try send(
            method, url, fields: fields + [(name: "Content-Type", value: "application/json")], body: Array(json.utf8))
    }

    private static func split(_ url: String) throws -> (port: UInt16, target: String) {
        let prefix = "http://127.0.0.1:"
        guard url.hasPrefix(prefix) else { throw Failure(description: "not on the loopback address: \(url)") }
        let rest = url.dropFirst(prefix.count)
        let digits = rest.prefix { $0.isNumber }
        guard let port = UInt16(digits) else { throw Failure(description: "no port: \(url)") }
        let target = String(rest.dropFirst(digits.count))
        return (port, target.hasPrefix("/") ? target : "/" + target)
    }

    private static func connect(port: UInt16, timeout: Int) throws -> Int32 {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard connection >= 0 else { throw Failure(description: "no socket") }
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            close(connection)
            throw Failure(description: "nobody listens on port \(port)")
        }
        return connection
    }

    private static func write(_ bytes: [UInt8], to connection: Int32) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            // A server that refuses early may close before it has read all; its answer is still to be had.
            guard count > 0 else { return }
            sent += count
        }
    }
}

/// A whole HTTP response.
struct Answer: Sendable {
    let status: Int
    let fields: [(name: String, value: String)]
    let body: [UInt8]

    /// The first field of that name, in any case.
    subscript(field: String) -> String? {
        fields.first { $0.name == field.lowercased() }?.value
    }

    var text: String { String(decoding: body, as: UTF8.self) }

    func json() throws -> JSON.Value {
        try JSON.Document(parsing: body).value()
    }

    /// Nil while bytes are missing.
    ///
    /// - Parameter isComplete: the peer has closed, so that a body without a length ends here.
    fileprivate init?(_ received: [UInt8], isComplete: Bool, method: String) throws {
        guard let end = received.firstRange(of: [13, 10, 13, 10]) else { return nil }
        let lines = String(decoding: received[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let start = lines[0].split(separator: " ", maxSplits: 2)
        guard start.count >= 2, start[0].hasPrefix("HTTP/1."), let status = Int(start[1]) else {
            throw OneShotHTTP.Failure(description: "not HTTP: \(lines[0])")
        }
        self.status = status
        fields = lines.dropFirst().map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            let value = line[colon...].dropFirst().drop { $0 == " " }
            return (name: line[..<colon].lowercased(), value: String(value))
        }
        let rest = received[end.upperBound...]
        if fields.contains(where: { $0.name == "transfer-encoding" }) {
            throw OneShotHTTP.Failure(description: "a transfer coding that was not asked for")
        }
        let declared = fields.first { $0.name == "content-length" }.flatMap { Int($0.value) }
        let length = method == "HEAD" || status == 204 || status == 304 ? 0 : declared
        guard let length = length ?? (isComplete ? rest.count : nil), rest.count >= length else { return nil }
        body = Array(rest.prefix(length))
    }
}
