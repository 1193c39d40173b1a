/// The host and port of `AWS_LAMBDA_RUNTIME_API`.
struct Endpoint: Sendable, Equatable {
    let host: String
    let port: String
    /// As it stands in the variable, for the `Host` field.
    let authority: String

    /// No host has this name and no port this form: it is not looked up, and never found.
    static let nowhere = Endpoint()

    private init() {
        host = ""
        port = "-"
        authority = "nowhere.invalid"
    }

    /// Takes `host:port`, with an IPv6 address in brackets; nil for anything else.
    init?(_ text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let port = text[text.utf8.index(after: colon)...]
        guard let number = UInt16(port), number > 0, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        let isPlain = host.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "@")
        }
        guard !host.isEmpty, isPlain else { return nil }
        self.host = String(host)
        self.port = String(port)
        authority = text
    }
}
