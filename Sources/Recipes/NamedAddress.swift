internal import HTTP

/// The caller's address as a provider names it in its refusal.
enum NamedAddress {
    /// The first IPv4 address in the text, else the first IPv6 one: WeChat's `invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist`.
    static func first(in message: String) -> String? {
        let words = message.split { !($0.isHexDigit || $0 == "." || $0 == ":") }.map { word in
            word.drop { $0 == "." }.reversed().drop { $0 == "." }.reversed()
        }.map { String($0) }
        var found: String?
        for word in words where word.contains(where: \.isHexDigit) {
            switch IPAddress(word) {
            case .v4: return word
            case .v6: found = found ?? word
            case nil: break
            }
        }
        return found
    }
}
