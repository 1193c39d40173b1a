/// An absolute `http` or `https` URL in the one reading that every parser shares; whatever could be read in two ways is refused.
package struct URL: Hashable, Sendable {
    package enum Scheme: String, Sendable {
        case http, https

        package var defaultPort: UInt16 { self == .http ? 80 : 443 }
    }

    package enum Host: Hashable, Sendable {
        /// A domain name, in lower case.
        case name(String)
        case address(IPAddress)
    }

    package let origin: Origin
    /// Percent-encoded; `/` at least.
    package let path: String
    /// Percent-encoded, without `?`; nil where there is none.
    package let query: String?

    package init(parsing text: some StringProtocol) throws(URLError) {
        let text = String(text)
        guard text.utf8.count <= URL.longest else { throw .tooLong }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !URL.forbidden.contains($0) }) else {
            throw .badCharacter
        }
        guard !text.utf8.contains(UInt8(ascii: "#")) else { throw .fragment }
        let (origin, target) = try Origin.split(text)
        self.origin = origin

        let pathEnd = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        path = pathEnd == target.startIndex ? "/" : String(target[..<pathEnd])
        query = pathEnd == target.endIndex ? nil : String(target[target.index(after: pathEnd)...])
        for part in [path, query ?? ""] where PercentEncoding.decode(part) == nil { throw .badEscape }
    }

    /// The URL as text, with `parameters` added to its query.
    package func text(adding parameters: QueryString = QueryString()) -> String {
        let added = parameters.parameters.isEmpty ? nil : parameters.encoded
        let parts = [query.flatMap { $0.isEmpty ? nil : $0 }, added].compactMap { $0 }
        return origin.text + path + (parts.isEmpty ? "" : "?" + parts.joined(separator: "&"))
    }

    /// Reads a host without its port: a name, a dotted quad, or an IPv6 address in brackets.
    static func host(_ text: Substring) throws(URLError) -> Host {
        if text.first == "[" {
            guard text.last == "]", let address = IPAddress(text.dropFirst().dropLast()), case .v6 = address else {
                throw .badHost
            }
            return .address(address)
        }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard text.utf8.count <= 253,
            labels.allSatisfy({ (1...63).contains($0.count) && $0.allSatisfy(isHostCharacter) }),
            let last = labels.last
        else { throw .badHost }
        // Resolvers take `127.1`, `0x7f000001` and `017700000001` for addresses; here only a dotted quad is one.
        let isNumber =
            last.allSatisfy { (0x30...0x39).contains($0) } || last.starts(with: "0x".utf8)
            || last.starts(with: "0X".utf8)
        if isNumber {
            guard let address = IPAddress(text) else { throw .badHost }
            return .address(address)
        }
        return .name(text.lowercased())
    }

    private static func isHostCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static let longest = 4_096
    /// Printable characters that no URL holds unescaped (RFC 3986, 2), and that parsers read differently.
    private static let forbidden = Array("\"<>\\^`{|}".utf8)
}

/// Why a text is not a URL that can be used.
///
/// Never shows the text itself.
package enum URLError: String, Error, Sendable, CustomStringConvertible {
    case notHTTP = "must be an absolute http or https URL"
    case tooLong = "is too long"
    case badCharacter = "holds a space, a control character or another that a URL cannot hold"
    case badEscape = "holds a broken percent-escape"
    case userInfo = "must not hold a user name or password"
    case fragment = "must not have a fragment"
    case badHost = "has no usable host"
    case badPort = "has no usable port"

    package var description: String { rawValue }
}

/// `host[:port]`, as in a URL's authority.
enum HostAndPort {
    static func split(_ text: Substring) throws(URLError) -> (host: Substring, port: UInt16?) {
        let afterBrackets = text.utf8.lastIndex(of: UInt8(ascii: "]")) ?? text.startIndex
        guard let colon = text[afterBrackets...].utf8.firstIndex(of: UInt8(ascii: ":")) else { return (text, nil) }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits),
            port > 0
        else { throw .badPort }
        return (text[..<colon], port)
    }
}
