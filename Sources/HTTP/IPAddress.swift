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

    /// An address as sockets hold it: 4 or 16 bytes, the highest first.
    package init?(bytes: [UInt8]) {
        let number = { (bytes: ArraySlice<UInt8>) in bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: self = .v4(UInt32(number(bytes[...])))
        case 16: self = .v6(high: number(bytes[..<8]), low: number(bytes[8...]))
        default: return nil
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

    /// Whether the address is one of the open internet: in no range that IANA's special-purpose registries
    /// (RFC 6890) name as anything else, no multicast, nothing that was never given out.
    ///
    /// Only an address of the well-known NAT64 prefix is judged by the IPv4 address that it carries: networks without IPv4 reach
    /// providers so (RFC 6052). Mapped, compatible, 6to4 and Teredo forms are refused whatever they carry.
    package var isPublic: Bool {
        switch self {
        case .v4(let value): !IPAddress.reserved4.contains { $0.holds(value) }
        case .v6(let high, let low):
            if high == IPAddress.nat64, low >> 32 == 0 {
                IPAddress.v4(UInt32(low)).isPublic
            } else {
                // Only 2000::/3 is given out, less what is reserved within it.
                high >> 61 == 1 && !IPAddress.reserved6.contains { $0.holds(high) }
            }
        }
    }

    /// The leading bits that the addresses of a range share.
    private struct Range<Bits: FixedWidthInteger & Sendable>: Sendable {
        let prefix: Bits
        let length: Int

        init(_ prefix: Bits, _ length: Int) {
            self.prefix = prefix
            self.length = length
        }

        func holds(_ bits: Bits) -> Bool { (bits ^ prefix) >> (Bits.bitWidth - length) == 0 }
    }

    /// 64:ff9b::/96 (RFC 6052); 64:ff9b:1::/48 is for local use (RFC 8215).
    private static let nat64: UInt64 = 0x0064_FF9B_0000_0000

    private static let reserved4: [Range<UInt32>] = [
        Range(0x0000_0000, 8),  // this network
        Range(0x0A00_0000, 8), Range(0xAC10_0000, 12), Range(0xC0A8_0000, 16),  // private
        Range(0x6440_0000, 10),  // shared; Alibaba's metadata service lies here
        Range(0x7F00_0000, 8),  // loopback
        Range(0xA9FE_0000, 16),  // link-local; the clouds' metadata services
        Range(0xC000_0000, 24),  // protocol assignments
        Range(0xC000_0200, 24), Range(0xC633_6400, 24), Range(0xCB00_7100, 24),  // documentation
        Range(0xC01F_C400, 24), Range(0xC0AF_3000, 24),  // AS112: answers for private names
        Range(0xC034_C100, 24),  // automatic multicast tunnels
        Range(0xC058_6300, 24),  // 6to4 relays
        Range(0xC612_0000, 15),  // benchmarks
        Range(0xE000_0000, 4), Range(0xF000_0000, 4),  // multicast, reserved
    ]

    /// Ranges of 2000::/3, none of them longer than 64 bits.
    private static let reserved6: [Range<UInt64>] = [
        Range(0x2001_0000_0000_0000, 23),  // protocol assignments, Teredo, benchmarks and ORCHID among them
        Range(0x2001_0DB8_0000_0000, 32), Range(0x3FFF_0000_0000_0000, 20),  // documentation
        Range(0x2002_0000_0000_0000, 16),  // 6to4
        Range(0x2620_004F_8000_0000, 48),  // AS112
    ]
}
