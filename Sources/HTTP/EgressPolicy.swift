/// Where requests may go: https anywhere on the open internet, anything else only where it is listed.
///
/// It judges a URL twice: as it is written, and by each address that its name resolves to before anything connects there.
package struct EgressPolicy: Sendable, Equatable {
    package enum Refusal: String, Sendable, CustomStringConvertible {
        case plainHTTP = "plain http is only allowed to hosts that UPSTREAM_ALLOW lists"
        case internalAddress = "internal addresses are only allowed where UPSTREAM_ALLOW lists them"

        package var description: String { rawValue }
    }

    /// A bad entry of the list, counted from 1; never its text.
    package struct ParseError: Error, Sendable, Equatable, CustomStringConvertible {
        package let number: Int

        package var description: String { "UPSTREAM_ALLOW: entry \(number) is not host[:port]" }
    }

    private struct Entry: Sendable, Equatable {
        let host: URL.Host
        /// Nil for every port.
        let port: UInt16?
    }

    private let entries: [Entry]

    /// Nothing is listed.
    package init() {
        entries = []
    }

    /// Reads `UPSTREAM_ALLOW`: `host[:port],…`, IPv6 addresses in brackets, blanks around entries ignored.
    package init(parsing list: String) throws(ParseError) {
        var entries: [Entry] = []
        for (index, part) in list.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            let text = part.drop { $0 == " " }
            let entry = text.reversed().drop { $0 == " " }.reversed()
            if entry.isEmpty { continue }
            do {
                let (host, port) = try HostAndPort.split(Substring(String(entry)))
                entries.append(Entry(host: try URL.host(host), port: port))
            } catch {
                throw ParseError(number: index + 1)
            }
        }
        self.entries = entries
    }

    /// Nil where a request to the URL may be made, as far as its text tells.
    package func permits(_ origin: URL.Origin) -> Refusal? {
        if lists(origin) { return nil }
        guard origin.scheme == .https else { return .plainHTTP }
        switch origin.host {
        case .address(let address): return address.isPublic ? nil : .internalAddress
        // RFC 6761, 6.3: these names mean this machine.
        case .name(let name): return name == "localhost" || name.hasSuffix(".localhost") ? .internalAddress : nil
        }
    }

    /// Whether a connection to the address may be made for a request to the origin.
    ///
    /// A name that is listed may lie anywhere: the operator named it.
    package func permits(_ origin: URL.Origin, at address: IPAddress) -> Bool {
        lists(origin) || (origin.scheme == .https && address.isPublic)
    }

    private func lists(_ origin: URL.Origin) -> Bool {
        entries.contains { $0.host == origin.host && ($0.port == nil || $0.port == origin.port) }
    }
}
