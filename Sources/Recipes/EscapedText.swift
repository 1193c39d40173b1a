/// A text, or what it says with its escapes resolved, byte by byte with where each stands in the text as it was.
struct EscapedText {
    private(set) var bytes: [UInt8]
    private(set) var ranges: [Range<Int>]

    init(_ text: [UInt8]) {
        bytes = text
        ranges = text.indices.map { $0..<$0 + 1 }
    }

    private init() {
        bytes = []
        ranges = []
    }

    /// One level of escapes resolved, of URLs (`%2F`), JSON and C (`\u002f`, `\x2f`, `\/`) and HTML (`&#x2f;`, `&#47;`, `&amp;`); nil
    /// where there is none.
    var resolved: EscapedText? {
        var resolved = EscapedText()
        var at = 0
        var isSame = true
        while at < bytes.count {
            let escape = escape(at)
            let length = escape?.length ?? 1
            let range = ranges[at].lowerBound..<ranges[at + length - 1].upperBound
            for byte in escape?.bytes ?? [bytes[at]] {
                resolved.bytes.append(byte)
                resolved.ranges.append(range)
            }
            if escape != nil { isSame = false }
            at += length
        }
        return isSame ? nil : resolved
    }

    private func escape(_ at: Int) -> (bytes: [UInt8], length: Int)? {
        switch bytes[at] {
        case UInt8(ascii: "%"): return number(at, 1, radix: 16, digits: 2...2).map { ([UInt8($0.value)], $0.length) }
        case UInt8(ascii: "\\"):
            guard at + 1 < bytes.count else { return nil }
            switch bytes[at + 1] {
            case UInt8(ascii: "u"): return scalar(number(at, 2, radix: 16, digits: 4...4))
            case UInt8(ascii: "x"): return scalar(number(at, 2, radix: 16, digits: 2...2))
            case UInt8(ascii: "n"): return ([0x0A], 2)
            case UInt8(ascii: "r"): return ([0x0D], 2)
            case UInt8(ascii: "t"): return ([0x09], 2)
            default: return ([bytes[at + 1]], 2)
            }
        case UInt8(ascii: "&"):
            for (name, byte) in EscapedText.entities where bytes[at...].starts(with: name.utf8) {
                return ([byte], name.utf8.count)
            }
            guard at + 2 < bytes.count, bytes[at + 1] == UInt8(ascii: "#") else { return nil }
            let isHex = bytes[at + 2] | 0x20 == UInt8(ascii: "x")
            guard let (bytes, length) = scalar(number(at, isHex ? 3 : 2, radix: isHex ? 16 : 10, digits: 1...7)) else {
                return nil
            }
            let isClosed = at + length < self.bytes.count && self.bytes[at + length] == UInt8(ascii: ";")
            return (bytes, length + (isClosed ? 1 : 0))
        default: return nil
        }
    }

    private static let entities: [(String, UInt8)] = [
        ("&amp;", UInt8(ascii: "&")), ("&lt;", UInt8(ascii: "<")), ("&gt;", UInt8(ascii: ">")),
        ("&quot;", UInt8(ascii: "\"")), ("&apos;", UInt8(ascii: "'")),
    ]

    /// The number behind `skipped` bytes of an escape.
    private func number(
        _ at: Int, _ skipped: Int, radix: Int, digits: ClosedRange<Int>
    ) -> (value: UInt32, length: Int)? {
        var value = 0
        var length = 0
        while length < digits.upperBound, at + skipped + length < bytes.count,
            let digit = Character(Unicode.Scalar(bytes[at + skipped + length])).hexDigitValue, digit < radix
        {
            value = value * radix + digit
            length += 1
        }
        return digits.contains(length) ? (UInt32(value), skipped + length) : nil
    }

    /// The bytes of the character of that number.
    private func scalar(_ number: (value: UInt32, length: Int)?) -> (bytes: [UInt8], length: Int)? {
        guard let number, let scalar = Unicode.Scalar(number.value) else { return nil }
        return (Array(String(Character(scalar)).utf8), number.length)
    }
}
