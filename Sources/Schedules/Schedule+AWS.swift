internal import Clocks

/// Schedule expressions of EventBridge: `rate(5 minutes)`, `cron(0 8 ? * MON-FRI *)`, `at(2026-12-01T08:00:00)`.
///
/// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html and, for rules,
/// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
extension Schedule {
    private static let monthNames = [
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ]
    private static let weekdayNames = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]

    /// - Parameters:
    ///   - zone: that of EventBridge Scheduler; a rule's is always UTC.
    ///   - takesInstant: whether `at(…)` may stand there, which rules do not know.
    package static func aws(
        _ text: String, zone: TimeZone = .utc, takesInstant: Bool
    ) throws(ScheduleError) -> Schedule {
        guard text.hasSuffix(")"), let open = text.firstIndex(of: "(") else {
            throw ScheduleError("\(text) is no rate(…), cron(…)\(takesInstant ? " or at(…)" : "")")
        }
        let inner = text[text.index(after: open)...].dropLast()
        switch text[..<open] {
        case "rate": return Schedule(kind: .every(try rate(inner)))
        case "cron": return Schedule(kind: .cron(try cron(inner), zone))
        case "at" where takesInstant:
            let local = try instant(inner)
            guard let second = zone.instant(of: local) else {
                throw ScheduleError("clocks never show \(inner) in \(zone.name)")
            }
            return Schedule(kind: .once(second))
        default:
            throw ScheduleError("\(text[..<open])(…) is no rate(…), cron(…)\(takesInstant ? " or at(…)" : "")")
        }
    }

    private static func rate(_ text: Substring) throws(ScheduleError) -> Duration {
        let words = text.split(separator: " ")
        let units = ["minute": 60, "hour": 3_600, "day": 86_400]
        guard words.count == 2, let count = Int(words[0]), (1...1_000_000).contains(count) else {
            throw ScheduleError("rate(\(text)) has no whole number and unit")
        }
        guard let unit = units[count == 1 ? String(words[1]) : String(words[1].dropLast())],
            count == 1 || words[1].hasSuffix("s")
        else {
            throw ScheduleError(
                "rate(\(text)) has no unit that fits: minute, hour, day for 1, minutes, hours, days above")
        }
        return .seconds(count * unit)
    }

    /// Minutes, hours, day of month, month, day of week, year.
    private static func cron(_ text: Substring) throws(ScheduleError) -> CronExpression {
        let fields = text.split(separator: " ")
        guard fields.count == 6 else {
            throw ScheduleError("cron(\(text)) has \(fields.count) fields, not 6: minutes hours day month weekday year")
        }
        guard (fields[2] == "?") != (fields[4] == "?") else {
            throw ScheduleError("cron(\(text)): exactly one of day of month and day of week must be ?")
        }
        return CronExpression(
            seconds: [0],
            minutes: try CronField(fields[0], .init(name: "minute", range: 0...59)).values,
            hours: try CronField(fields[1], .init(name: "hour", range: 0...23)).values,
            dayOfMonth: try dayOfMonth(fields[2]),
            months: try CronField(fields[3], .init(name: "month", range: 1...12, words: monthNames)).values,
            dayOfWeek: try dayOfWeek(fields[4]),
            years: try CronField(fields[5], .init(name: "year", range: 1_970...2_199)).values)
    }

    private static func dayOfMonth(_ text: Substring) throws(ScheduleError) -> CronExpression.DayOfMonth {
        let rules = CronField.Rules(name: "day of month", range: 1...31, takesQuestionMark: true)
        if text == "L" { return .last }
        if text.hasSuffix("W"), let day = Int(text.dropLast()), rules.range.contains(day) {
            return .nearestWeekday(day)
        }
        if text.contains("L") || text.contains("W") {
            throw CronField.unreadable(text, rules, "L stands alone, W after one day; nothing else is supported")
        }
        return .listed(try CronField(text, rules))
    }

    private static func dayOfWeek(_ text: Substring) throws(ScheduleError) -> CronExpression.DayOfWeek {
        let rules = CronField.Rules(
            name: "day of week", range: 1...7, words: weekdayNames, takesQuestionMark: true)
        // 1 is Sunday, as in the words' order.
        if text == "L" { return .listed([6], isOpen: false) }
        if text.hasSuffix("L") { return .last(try weekday(text.dropLast(), of: text, rules)) }
        if let mark = text.firstIndex(of: "#") {
            guard let occurrence = Int(text[text.index(after: mark)...]), (1...5).contains(occurrence) else {
                throw CronField.unreadable(text, rules, "after # stands 1 to 5")
            }
            return .numbered(try weekday(text[..<mark], of: text, rules), occurrence: occurrence)
        }
        let field = try CronField(text, rules)
        return .listed(Set(field.values.map { $0 - 1 }), isOpen: field.isOpen)
    }

    private static func weekday(
        _ text: Substring, of whole: Substring, _ rules: CronField.Rules
    ) throws(ScheduleError) -> Int {
        let field = try CronField(text, rules)
        guard let day = field.values.first, field.values.count == 1 else {
            throw CronField.unreadable(whole, rules, "one weekday stands before it")
        }
        return day - 1
    }

    /// `2026-12-01T08:00:00`, as clocks show it.
    private static func instant(_ text: Substring) throws(ScheduleError) -> LocalTime {
        guard let match = text.wholeMatch(of: /(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)/) else {
            throw ScheduleError("at(\(text)) is not at(yyyy-mm-ddThh:mm:ss)")
        }
        let parts = [match.1, match.2, match.3, match.4, match.5, match.6].compactMap { Int($0) }
        guard parts.count == 6, (1...12).contains(parts[1]),
            (1...CivilDate.daysInMonth(parts[0], parts[1])).contains(parts[2]), parts[3] < 24, parts[4] < 60,
            parts[5] < 60
        else { throw ScheduleError("at(\(text)) is no time of any day") }
        return LocalTime(CivilDate(parts[0], parts[1], parts[2]), hour: parts[3], minute: parts[4], second: parts[5])
    }
}
