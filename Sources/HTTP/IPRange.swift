/// An address, or all that share its first bits.
package struct IPRange: Hashable, Sendable {
    private let address: IPAddress
    private let bits: Int

    /// Reads `203.0.113.9`, `203.0.113.0/24` or the same of IPv6; nil for anything else, bits set beyond the prefix among it.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let given = IPAddress(first) else { return nil }
        var bits = given.width
        if parts.count == 2 {
            let digits = parts[1].utf8
            guard (1...3).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
                digits.first != 0x30 || digits.count == 1, let number = Int(parts[1]), number <= bits
            else { return nil }
            bits = number
        }
        guard given.keeping(bits) == given else { return nil }
        let plain = given.unmapped
        if plain.width < given.width {
            // A range of mapped addresses is one of IPv4, unless it is wider than all of them.
            guard bits >= 96 else { return nil }
            bits -= 96
        }
        address = plain
        self.bits = bits
    }

    package func contains(_ other: IPAddress) -> Bool {
        let other = other.unmapped
        return other.width == address.width && other.keeping(bits) == address
    }
}

extension IPAddress {
    /// An IPv4 address in IPv6 form (RFC 4291, 2.5.5.2) as what it is.
    package var unmapped: IPAddress {
        if case .v6(0, let low) = self, low >> 32 == 0xFFFF { return .v4(UInt32(low & 0xFFFF_FFFF)) }
        return self
    }

    fileprivate var width: Int {
        switch self {
        case .v4: 32
        case .v6: 128
        }
    }

    /// The address with all but its first bits cleared.
    fileprivate func keeping(_ bits: Int) -> IPAddress {
        switch self {
        case .v4(let value): .v4(value & (bits == 0 ? 0 : ~UInt32(0) << (32 - bits)))
        case .v6(let high, let low):
            .v6(
                high: high & (bits == 0 ? 0 : ~UInt64(0) << UInt64(max(0, 64 - bits))),
                low: low & (bits <= 64 ? 0 : ~UInt64(0) << UInt64(128 - bits)))
        }
    }
}
