extension IPAddress: CustomStringConvertible {
    /// The canonical form (RFC 5952): lower case, and `::` for the first of the longest runs of two or more groups of zeros.
    package var description: String {
        switch self {
        case .v4(let value):
            return [24, 16, 8, 0].map { String(value >> $0 & 0xFF) }.joined(separator: ".")
        case .v6(let high, let low):
            let groups = [high, low].flatMap { half in [48, 32, 16, 0].map { UInt16(half >> $0 & 0xFFFF) } }
            let text = { (groups: ArraySlice<UInt16>) in
                groups.map { String($0, radix: 16) }.joined(separator: ":")
            }
            guard let gap = IPAddress.longestGap(groups) else { return text(groups[...]) }
            return text(groups[..<gap.lowerBound]) + "::" + text(groups[gap.upperBound...])
        }
    }

    private static func longestGap(_ groups: [UInt16]) -> Swift.Range<Int>? {
        var longest: Swift.Range<Int>?
        var start = 0
        while start < groups.count {
            let end = groups[start...].firstIndex { $0 != 0 } ?? groups.count
            if end - start > max(longest?.count ?? 0, 1) { longest = start..<end }
            start = end + 1
        }
        return longest
    }
}
