internal import HTTP

/// The proxies whose `X-Forwarded-For` is believed (`TRUSTED_PROXIES`).
package struct TrustedProxies: Sendable {
    private let ranges: [IPRange]

    /// An entry that is no address and no range; counted from 1.
    struct ParseError: Error {
        let number: Int
    }

    /// Reads addresses and ranges with commas between them; blanks around them are ignored.
    init(parsing text: String) throws(ParseError) {
        var ranges: [IPRange] = []
        let entries = text.split(separator: ",", omittingEmptySubsequences: false)
        for (number, entry) in entries.enumerated() {
            let entry = entry.trimmed
            if entry.isEmpty, entries.count == 1 { break }
            guard let range = IPRange(entry) else { throw ParseError(number: number + 1) }
            ranges.append(range)
        }
        self.ranges = ranges
    }

    /// The caller's address: the last one that no listed proxy wrote; nil where that is no address.
    ///
    /// What the platform says of the connection comes after what the header says. Each entry was written by the one after it,
    /// so that behind the first that is not a listed proxy everything may be made up; no other header is looked at.
    func address(of request: Request) -> IPAddress? {
        var hops = request.fields.values(.forwardedFor).flatMap { $0.split(separator: ",").map { String($0.trimmed) } }
        if let source = request.sourceAddress { hops.append(source) }
        var nearest: IPAddress?
        for hop in hops.reversed() {
            guard let address = TrustedProxies.address(hop)?.unmapped else { return nil }
            if !ranges.contains(where: { $0.contains(address) }) { return address }
            nearest = address
        }
        return nearest
    }

    /// An address, as some balancers write it with the caller's port: `203.0.113.9:1234`, `[2001:db8::1]:1234`.
    private static func address(_ text: String) -> IPAddress? {
        if let address = IPAddress(text) { return address }
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || isPort(rest) else { return nil }
            return IPAddress(text[text.index(after: text.startIndex)..<end])
        }
        guard let colon = text.firstIndex(of: ":"), isPort(text[colon...]) else { return nil }
        return IPAddress(text[..<colon])
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.utf8.count > 1 && text.dropFirst().utf8.allSatisfy { (0x30...0x39).contains($0) }
            && UInt16(text.dropFirst()) != nil
    }
}

extension Substring {
    /// Without blanks at both ends.
    fileprivate var trimmed: Substring {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let bytes = utf8.drop(while: isBlank)
        guard let last = bytes.lastIndex(where: { !isBlank($0) }) else { return "" }
        return Substring(bytes[...last])
    }
}
