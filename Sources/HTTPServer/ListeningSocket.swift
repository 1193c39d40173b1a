internal import CMicroHTTPD
internal import CSystem
internal import Glibc

/// A bound TCP socket that listens; whoever has it closes `descriptor`.
struct ListeningSocket {
    let descriptor: Int32
    /// The port it really got.
    let port: UInt16
    let isIPv6: Bool

    /// Binds a numeric address; port 0 takes any that is free.
    init(address: String, port: UInt16) throws(ServerError) {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(address, String(port), &hints, &found) == 0, let place = unsafe found else {
            throw .address(address)
        }
        defer { unsafe freeaddrinfo(place) }
        let family = unsafe place.pointee.ai_family
        // The library's threads share this socket, so an accept that came too late must not block.
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw ListeningSocket.failure("socket") }
        var yes: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard unsafe bind(descriptor, place.pointee.ai_addr, place.pointee.ai_addrlen) == 0 else {
            throw ListeningSocket.failure("bind to \(address) port \(port)", closing: descriptor)
        }
        guard listen(descriptor, 1024) == 0 else { throw ListeningSocket.failure("listen", closing: descriptor) }
        self.descriptor = descriptor
        self.port = ListeningSocket.port(of: descriptor)
        isIPv6 = family == AF_INET6
    }

    private static func failure(_ call: String, closing descriptor: Int32? = nil) -> ServerError {
        let reason = unsafe String(cString: strerror(csystem_errno()))
        if let descriptor { close(descriptor) }
        return .socket(call: call, reason: reason)
    }

    private static func port(of descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe getsockname(descriptor, $0, &length)
            }
            // The port lies at the same place in both families.
            return unsafe pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                unsafe UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
    }
}

/// The numeric text of a peer's address, without its port.
func numericAddress(_ address: UnsafePointer<sockaddr>) -> String? {
    let length =
        unsafe address.pointee.sa_family == UInt16(AF_INET6)
        ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { buffer in
        guard let text = buffer.baseAddress,
            unsafe getnameinfo(address, socklen_t(length), text, socklen_t(NI_MAXHOST), nil, 0, NI_NUMERICHOST) == 0
        else { return nil }
        return unsafe String(cString: text)
    }
}
