/// A JSON number, kept as its text so that it survives a round trip unchanged.
///
/// Two numbers are equal when they are written alike: `1` and `1.0` differ.
package struct Number: Sendable, Hashable {
    package let text: String

    /// Takes text that is already known to be a JSON number.
    init(unchecked text: String) {
        self.text = text
    }

    package init(_ value: Int64) {
        text = String(value)
    }

    /// The exact whole number, or nil where it has a fraction or does not fit; `7.2e3` is 7200, `1.0` is 1.
    ///
    /// Read off the text: a `Double` in between would round whatever has more than 53 bits.
    package var integer: Int64? {
        if let plain = Int64(text) { return plain }

        // The number is `digits` × 10^`exponent`; zeros at either end of `digits` are kept out of it.
        var isNegative = false
        var digits: [UInt8] = []
        var pendingZeros = 0
        var exponent = 0
        var isFraction = false
        var text = text.utf8[...]
        scan: while let byte = text.popFirst() {
            switch byte {
            case UInt8(ascii: "-"): isNegative = true
            case UInt8(ascii: "."): isFraction = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                exponent += Number.exponent(text)
                break scan
            default:
                if isFraction { exponent -= 1 }
                if byte == UInt8(ascii: "0") {
                    pendingZeros += 1
                } else {
                    if !digits.isEmpty {
                        // No 64-bit number has this many digits.
                        guard digits.count + pendingZeros < 19 else { return nil }
                        digits.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: pendingZeros))
                    }
                    pendingZeros = 0
                    digits.append(byte)
                }
            }
        }
        if digits.isEmpty { return 0 }
        exponent += pendingZeros
        guard exponent >= 0, digits.count + exponent <= 19 else { return nil }
        digits.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: exponent))
        return Int64((isNegative ? "-" : "") + String(decoding: digits, as: UTF8.self))
    }

    /// An exponent, cut off where no mantissa that fits in memory could make up for it.
    private static func exponent(_ text: Substring.UTF8View) -> Int {
        let bound = 1 << 40
        var value = 0
        for byte in text where byte != UInt8(ascii: "+") && byte != UInt8(ascii: "-") {
            value = min(value * 10 + Int(byte - UInt8(ascii: "0")), bound)
        }
        return text.first == UInt8(ascii: "-") ? -value : value
    }

    /// The nearest `Double`, or nil beyond its range.
    package var double: Double? {
        Double(text).flatMap { $0.isFinite ? $0 : nil }
    }
}
