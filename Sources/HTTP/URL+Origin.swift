extension URL {
    /// Who is spoken to (RFC 6454, 4): scheme, host and port.
    package struct Origin: Hashable, Sendable {
        package let scheme: Scheme
        package let host: Host
        /// The port that is meant, written out or not.
        package let port: UInt16

        /// The origin as text, an IPv6 address in its brackets; the port only where it is not the scheme's own.
        package let text: String

        /// Reads scheme and authority of an absolute URL; what follows them is not looked at.
        package init(of url: String) throws(URLError) {
            self = try Origin.split(url).origin
        }

        private init(scheme: Scheme, host: Host, hostText: String, port: UInt16) {
            self.scheme = scheme
            self.host = host
            self.port = port
            text = scheme.rawValue + "://" + hostText + (port == scheme.defaultPort ? "" : ":\(port)")
        }

        /// The origin, and what follows the authority.
        static func split(_ url: String) throws(URLError) -> (origin: Origin, target: Substring) {
            let (scheme, rest) = try scheme(url)
            let end = rest.utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            let authority = rest[..<end]
            guard !authority.utf8.contains(UInt8(ascii: "@")) else { throw .userInfo }
            let (host, port) = try HostAndPort.split(authority)
            let origin = Origin(
                scheme: scheme, host: try URL.host(host), hostText: host.lowercased(), port: port ?? scheme.defaultPort)
            return (origin, rest[end...])
        }

        private static func scheme(_ text: String) throws(URLError) -> (Scheme, Substring) {
            for scheme in [Scheme.https, .http] {
                let start = scheme.rawValue + "://"
                guard text.utf8.count >= start.utf8.count, text.prefix(start.utf8.count).lowercased() == start else {
                    continue
                }
                return (scheme, text.dropFirst(start.utf8.count))
            }
            throw .notHTTP
        }
    }
}
