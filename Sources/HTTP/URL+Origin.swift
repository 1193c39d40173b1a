extension URL {
    /// Who is spoken to (RFC 6454, 4): scheme, host and port.
    package struct Origin: Hashable, Sendable {
        package let scheme: Scheme
        package let host: Host
        /// The port that is meant, written out or not.
        package let port: UInt16

        /// Reads scheme and authority of an absolute URL; what follows them is not looked at.
        package init(of url: String) throws(URLError) {
            self = try Origin.split(url).origin
        }

        private init(scheme: Scheme, host: Host, port: UInt16) {
            self.scheme = scheme
            self.host = host
            self.port = port
        }

        /// The origin, its host as it is written, and what follows the authority.
        static func split(_ url: String) throws(URLError) -> (origin: Origin, host: Substring, target: Substring) {
            let (scheme, rest) = try scheme(url)
            let end = rest.utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            let authority = rest[..<end]
            guard !authority.utf8.contains(UInt8(ascii: "@")) else { throw .userInfo }
            let (host, port) = try HostAndPort.split(authority)
            let origin = Origin(scheme: scheme, host: try URL.host(host), port: port ?? scheme.defaultPort)
            return (origin, host, rest[end...])
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
