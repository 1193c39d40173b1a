internal import CSystem
internal import Glibc

/// A listening TCP socket that knows its real port.
struct Listener {
    let descriptor: Int32
    let port: UInt16

    init(address: String, port: UInt16) throws(ServerError) {
        var socketAddress = sockaddr_in()
        socketAddress.sin_family = sa_family_t(AF_INET)
        socketAddress.sin_port = port.bigEndian
        guard unsafe inet_pton(AF_INET, address, &socketAddress.sin_addr) == 1 else {
            throw ServerError.badAddress(address)
        }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ServerError.system(csystem_errno()) }
        var on: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = unsafe withUnsafeMutablePointer(to: &socketAddress) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe bind(descriptor, generic, length) == 0 && listen(descriptor, 4_096) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard isListening else {
            let number = csystem_errno()
            close(descriptor)
            throw number == EADDRINUSE ? ServerError.portInUse(port) : ServerError.system(number)
        }
        self.descriptor = descriptor
        self.port = UInt16(bigEndian: socketAddress.sin_port)
    }
}

/// Why a server did not start.
package enum ServerError: Error, Sendable, Equatable, CustomStringConvertible {
    case badAddress(String)
    case portInUse(UInt16)
    case system(Int32)
    case library(String)

    package var description: String {
        switch self {
        case .badAddress(let address): "\(address) is not an IPv4 address"
        case .portInUse(let port): "port \(port) is in use"
        case .system(let number): unsafe "cannot listen: \(String(cString: strerror(number)))"
        case .library(let message): "the HTTP library cannot be used: \(message)"
        }
    }
}
