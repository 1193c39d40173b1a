extension Timestamp {
    /// The instant in UTC as RFC 3339 writes it, with milliseconds: `2026-11-21T01:20:05.123Z`.
    ///
    /// Years outside 0000–9999 carry a sign and at least six digits, the expanded form of ISO 8601.
    package var iso8601: String {
        // Floored, so that an instant before 1970 lies in the second and on the day that hold it.
        let (seconds, millisecond) = flooredDivision(Int(milliseconds), by: 1_000)
        let (day, second) = flooredDivision(seconds, by: 86_400)
        let date = CivilDate(daysSinceEpoch: day)

        var text: [UInt8] = []
        text.reserveCapacity(24)
        if (0...9_999).contains(date.year) {
            text.append(date.year, digits: 4)
        } else {
            text.append(date.year < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
            text.append(abs(date.year), digits: 6)
        }
        text.append(UInt8(ascii: "-"))
        text.append(date.month, digits: 2)
        text.append(UInt8(ascii: "-"))
        text.append(date.day, digits: 2)
        text.append(UInt8(ascii: "T"))
        text.append(second / 3_600, digits: 2)
        text.append(UInt8(ascii: ":"))
        text.append(second / 60 % 60, digits: 2)
        text.append(UInt8(ascii: ":"))
        text.append(second % 60, digits: 2)
        text.append(UInt8(ascii: "."))
        text.append(millisecond, digits: 3)
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }
}

private func flooredDivision(_ value: Int, by divisor: Int) -> (quotient: Int, remainder: Int) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
}

extension [UInt8] {
    /// Appends a number that is not negative, zeros before it until it has that many digits.
    fileprivate mutating func append(_ number: Int, digits: Int) {
        let text = String(number).utf8
        for _ in 0..<Swift.max(0, digits - text.count) { append(UInt8(ascii: "0")) }
        append(contentsOf: text)
    }
}
