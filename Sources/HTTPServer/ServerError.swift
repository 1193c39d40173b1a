/// Why a server does not start.
package enum ServerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The HTTP library cannot be opened; what the loader says.
    case library(String)
    /// The address is no numeric IPv4 or IPv6 address.
    case address(String)
    /// The system refuses the socket: the call that failed and the system's words.
    case socket(call: String, reason: String)
    /// The library did not start its threads.
    case start

    package var description: String {
        switch self {
        case .library(let reason): "libmicrohttpd cannot be opened: \(reason)"
        case .address(let address): "not a numeric address: \(address)"
        case .socket(let call, let reason): "\(call): \(reason)"
        case .start: "libmicrohttpd did not start"
        }
    }
}
