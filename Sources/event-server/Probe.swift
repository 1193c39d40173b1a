internal import Glibc

/// Asks a server on this machine for a page, to learn whether it answers.
enum Probe {
    /// The status of `GET path` and all that was answered, or nil where nobody answers within a second.
    static func page(port: UInt16, path: String) -> (status: Int, text: String)? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 1, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { return nil }
        var request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        let sent = request.withUTF8 { bytes in
            unsafe send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        }
        guard sent == request.utf8.count else { return nil }
        var answer: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4_096)
        while answer.count < 65_536 {
            let count = unsafe recv(descriptor, &part, part.count, 0)
            if count <= 0 { break }
            answer += part[..<count]
        }
        // HTTP/1.1 200
        guard answer.count >= 12, let status = Int(String(decoding: answer[9..<12], as: UTF8.self)) else { return nil }
        return (status, String(decoding: answer, as: UTF8.self))
    }
}
