extension Timestamp {
    /// The instant in UTC as RFC 3339 writes it, with milliseconds: `2026-11-21T01:20:05.123Z`.
    ///
    /// Years outside 0000–9999 carry a sign and at least six digits, the expanded form of ISO 8601.
    package var iso8601: String {
        // Floored, so that an instant before 1970 lies in the second and on the day that hold it.
        let (seconds, millisecond) = flooredDivision(milliseconds, by: 1_000)
        let (day, second) = flooredDivision(seconds, by: 86_400)
        let date = CivilDate(day: day)

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

/// A date of the proleptic Gregorian calendar.
private struct CivilDate {
    let year: Int64
    let month: Int64
    let day: Int64

    /// The date of a day counted from 1970-01-01.
    init(day number: Int64) {
        // Years are counted from 1 March, so that a leap day is the last of its year; 400 of them have 146,097 days.
        let (era, dayOfEra) = flooredDivision(number + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // From March on, five months have 153 days; this line meets every month's first day.
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
    }
}

private func flooredDivision(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
}

extension [UInt8] {
    /// Appends a number that is not negative, zeros before it until it has that many digits.
    fileprivate mutating func append(_ number: Int64, digits: Int) {
        let text = String(number).utf8
        for _ in 0..<Swift.max(0, digits - text.count) { append(UInt8(ascii: "0")) }
        append(contentsOf: text)
    }
}
