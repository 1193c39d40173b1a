internal import Clocks

/// What holds after the last change that a time zone's file lists: `EST5EDT,M3.2.0,M11.1.0` (POSIX `TZ`, RFC 8536, 3.3).
struct DaylightRule: Sendable {
    /// The day on which clocks change, and the second of that day by the clocks before the change.
    private struct Change: Sendable {
        enum Day: Sendable {
            /// Month 1–12, week 1–5 (5 is the last), weekday from Sunday.
            case weekday(month: Int, week: Int, weekday: Int)
            /// 1–365, 29 February never counted.
            case day(Int)
            /// 0–365.
            case dayWithLeap(Int)
        }

        let day: Day
        let second: Int

        func local(in year: Int) -> Int {
            let start = CivilDate(year, 1, 1).daysSinceEpoch
            let date: Int
            switch day {
            case .dayWithLeap(let number): date = start + number
            case .day(let number): date = start + number - (CivilDate.isLeap(year) && number > 59 ? 0 : 1)
            case .weekday(let month, let week, let weekday):
                let first = CivilDate(year, month, 1)
                var day = 1 + (weekday - first.weekday + 7) % 7 + (week - 1) * 7
                if day > CivilDate.daysInMonth(year, month) { day -= 7 }
                date = CivilDate(year, month, day).daysSinceEpoch
            }
            return date * 86_400 + second
        }
    }

    private let standard: Int
    private let daylight: (offset: Int, start: Change, end: Change)?

    /// Seconds east of UTC at an instant, in seconds since 1970.
    func offset(at instant: Int) -> Int {
        guard let daylight else { return standard }
        let year = LocalTime(seconds: instant + standard).date.year
        let start = daylight.start.local(in: year) - standard
        let end = daylight.end.local(in: year) - daylight.offset
        // In the south summer lies around the turn of the year.
        let isDaylight = start < end ? start <= instant && instant < end : !(end <= instant && instant < start)
        return isDaylight ? daylight.offset : standard
    }

    /// Nil for what is no such rule.
    init?(_ text: String) {
        var rest = text[...]
        guard DaylightRule.skipName(&rest), let west = DaylightRule.time(&rest) else { return nil }
        standard = -west
        guard !rest.isEmpty else {
            daylight = nil
            return
        }
        guard DaylightRule.skipName(&rest) else { return nil }
        let offset = rest.first == "," ? standard + 3_600 : DaylightRule.time(&rest).map { -$0 }
        guard let offset, let start = DaylightRule.change(&rest), let end = DaylightRule.change(&rest), rest.isEmpty
        else { return nil }
        daylight = (offset, start, end)
    }

    private static func skipName(_ rest: inout Substring) -> Bool {
        if rest.first == "<" {
            guard let end = rest.firstIndex(of: ">") else { return false }
            rest = rest[rest.index(after: end)...]
            return true
        }
        let letters = rest.prefix { $0.isLetter }
        rest = rest.dropFirst(letters.count)
        return letters.count >= 3
    }

    private static func number(_ rest: inout Substring) -> Int? {
        let digits = rest.prefix { $0.isNumber }
        rest = rest.dropFirst(digits.count)
        return Int(digits)
    }

    /// `[+-]h[:m[:s]]` in seconds.
    private static func time(_ rest: inout Substring) -> Int? {
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest.removeFirst() }
        guard let hours = number(&rest) else { return nil }
        var seconds = hours * 3_600
        for unit in [60, 1] where rest.first == ":" {
            rest.removeFirst()
            guard let part = number(&rest) else { return nil }
            seconds += part * unit
        }
        return isNegative ? -seconds : seconds
    }

    /// `,M3.2.0/2`, `,J60` or `,59`; at 02:00 where it does not say when.
    private static func change(_ rest: inout Substring) -> Change? {
        guard rest.first == "," else { return nil }
        rest.removeFirst()
        let day: Change.Day
        switch rest.first {
        case "M":
            rest.removeFirst()
            var parts: [Int] = []
            for position in 0..<3 {
                if position > 0 {
                    guard rest.first == "." else { return nil }
                    rest.removeFirst()
                }
                guard let part = number(&rest) else { return nil }
                parts.append(part)
            }
            guard (1...12).contains(parts[0]), (1...5).contains(parts[1]), (0...6).contains(parts[2]) else {
                return nil
            }
            day = .weekday(month: parts[0], week: parts[1], weekday: parts[2])
        case "J":
            rest.removeFirst()
            guard let number = number(&rest), (1...365).contains(number) else { return nil }
            day = .day(number)
        default:
            guard let number = number(&rest), (0...365).contains(number) else { return nil }
            day = .dayWithLeap(number)
        }
        guard rest.first == "/" else { return Change(day: day, second: 7_200) }
        rest.removeFirst()
        guard let second = time(&rest) else { return nil }
        return Change(day: day, second: second)
    }
}
