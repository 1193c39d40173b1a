/// An IPv4 or IPv6 address.
package enum IPAddress: Hashable, Sendable {
    case v4(UInt32)
    case v6(high: UInt64, low: UInt64)

    /// Reads the one form that has no second reading: four decimal numbers without leading zeros, or RFC 4291, 2.2.
    ///
    /// No zone, no brackets.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if bytes.contains(UInt8(ascii: ":")) {
            guard let groups = IPAddress.groups(bytes) else { return nil }
            let high = groups[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
            let low = groups[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
            self = .v6(high: high, low: low)
        } else {
            guard let value = IPAddress.dotted(bytes[...]) else { return nil }
            self = .v4(value)
        }
    }

    private static func dotted(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard part.count <= 3, part.count == 1 || part.first != UInt8(ascii: "0"),
                part.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = UInt8(String(decoding: part, as: UTF8.self))
            else { return nil }
            value = value << 8 | UInt32(number)
        }
        return value
    }

    /// The eight groups of an IPv6 address; `::` stands for at least one group of zeros.
    private static func groups(_ bytes: [UInt8]) -> [UInt16]? {
        var gap: Int?
        var groups: [UInt16] = []
        var at = 0
        if bytes.starts(with: "::".utf8) {
            gap = 0
            at = 2
        }
        while at < bytes.count {
            let end = bytes[at...].firstIndex(of: UInt8(ascii: ":")) ?? bytes.count
            let part = bytes[at..<end]
            if part.contains(UInt8(ascii: ".")) {
                guard end == bytes.count, let value = dotted(part) else { return nil }
                groups += [UInt16(value >> 16), UInt16(value & 0xFFFF)]
                break
            }
            guard (1...4).contains(part.count), let group = UInt16(String(decoding: part, as: UTF8.self), radix: 16),
                part.first != UInt8(ascii: "+")
            else { return nil }
            groups.append(group)
            guard end < bytes.count else { break }
            at = end + 1
            // A colon at the very end is only good as the second of two.
            guard at < bytes.count else { return nil }
            if bytes[at] == UInt8(ascii: ":") {
                guard gap == nil else { return nil }
                gap = groups.count
                at += 1
            }
        }
        guard let gap else { return groups.count == 8 ? groups : nil }
        guard groups.count < 8 else { return nil }
        groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap)
        return groups
    }

    /// Whether the address is one of the open internet: not in any range that IANA's special-purpose registries reserve.
    ///
    /// An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4) is judged by what it carries.
    package var isPublic: Bool {
        switch self {
        case .v4(let value): !IPAddress.reserved4.contains { value >> (32 - $0.bits) == $0.prefix >> (32 - $0.bits) }
        case .v6(let high, let low):
            if let carried = IPAddress.carried(high, low) {
                IPAddress.v4(carried).isPublic
            } else {
                // Only 2000::/3 is given out, less what is reserved within it.
                high >> 61 == 1
                    && !IPAddress.reserved6.contains { high >> (64 - $0.bits) == $0.prefix >> (64 - $0.bits) }
            }
        }
    }

    private static func carried(_ high: UInt64, _ low: UInt64) -> UInt32? {
        switch (high, low >> 32) {
        case (0, 0xFFFF), (0x0064_FF9B_0000_0000, 0): UInt32(low & 0xFFFF_FFFF)
        case (let high, _) where high >> 48 == 0x2002: UInt32(high >> 16 & 0xFFFF_FFFF)
        default: nil
        }
    }

    private static let reserved4: [(prefix: UInt32, bits: UInt32)] = [
        (0x0000_0000, 8),  // this network
        (0x0A00_0000, 8), (0xAC10_0000, 12), (0xC0A8_0000, 16),  // private
        (0x6440_0000, 10),  // shared; Alibaba's metadata service lies here
        (0x7F00_0000, 8),  // loopback
        (0xA9FE_0000, 16),  // link-local; the clouds' metadata services
        (0xC000_0000, 24), (0xC000_0200, 24), (0xC633_6400, 24), (0xCB00_7100, 24),  // assignments, documentation
        (0xC058_6300, 24),  // 6to4 relays
        (0xC612_0000, 15),  // benchmarks
        (0xE000_0000, 4), (0xF000_0000, 4),  // multicast, reserved
    ]

    private static let reserved6: [(prefix: UInt64, bits: UInt64)] = [
        (0x2001_0000_0000_0000, 23),  // protocol assignments, Teredo among them
        (0x2001_0DB8_0000_0000, 32),  // documentation
        (0x3FFF_0000_0000_0000, 20),  // documentation
    ]
}
