/// Timer expressions of Alibaba's Function Compute: `@every 5m`, `CRON_TZ=Asia/Shanghai 0 0 8 * * *`.
///
/// https://www.alibabacloud.com/help/en/functioncompute/fc/user-guide/time-triggers
extension Schedule {
    private static let zonePrefix = "CRON_TZ="

    package static func functionCompute(_ text: String) throws(ScheduleError) -> Schedule {
        if text.hasPrefix("@every ") { return Schedule(kind: .every(try period(text.dropFirst(7)))) }
        if text.hasPrefix("@") { throw ScheduleError("\(text): of the words with @ only @every is supported") }
        var fields = text.split(separator: " ")
        var zone = TimeZone.utc
        if let first = fields.first, first.hasPrefix(zonePrefix) {
            fields.removeFirst()
            do throws(TimeZone.Unknown) {
                zone = try TimeZone(named: String(first.dropFirst(zonePrefix.count)))
            } catch {
                throw ScheduleError("\(error)")
            }
        }
        // The usual five fields run at the full minute.
        if fields.count == 5 { fields.insert("0", at: 0) }
        guard fields.count == 6 else {
            throw ScheduleError("\(text) has \(fields.count) fields, not 6: seconds minutes hours day month weekday")
        }
        return Schedule(kind: .cron(try cron(fields), zone))
    }

    /// `1h30m`: whole numbers of hours, minutes and seconds.
    private static func period(_ text: Substring) throws(ScheduleError) -> Duration {
        let units: [Character: Int] = ["h": 3_600, "m": 60, "s": 1]
        var seconds = 0
        var rest = text
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber }
            rest = rest.dropFirst(digits.count)
            guard let count = Int(digits), count <= 1_000_000, let unit = rest.popFirst().flatMap({ units[$0] }) else {
                throw ScheduleError("@every \(text): a period is written as in 90s, 5m or 1h30m")
            }
            seconds += count * unit
        }
        guard seconds > 0 else { throw ScheduleError("@every \(text): a period has a second at least") }
        return .seconds(seconds)
    }

    /// Seconds, minutes, hours, day of month, month, day of week; L, W and # are not among their signs.
    private static func cron(_ fields: [Substring]) throws(ScheduleError) -> CronExpression {
        let months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
        let weekdays = CronField.Rules(
            name: "day of week", range: 1...7, words: ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"],
            takesQuestionMark: true, takesSteps: false)
        let week = try CronField(fields[5], weekdays)
        return CronExpression(
            seconds: try CronField(fields[0], .init(name: "second", range: 0...59)).values,
            minutes: try CronField(fields[1], .init(name: "minute", range: 0...59)).values,
            hours: try CronField(fields[2], .init(name: "hour", range: 0...23)).values,
            dayOfMonth: .listed(
                try CronField(fields[3], .init(name: "day of month", range: 1...31, takesQuestionMark: true))),
            months: try CronField(fields[4], .init(name: "month", range: 1...12, words: months)).values,
            // 7 is Sunday.
            dayOfWeek: .listed(Set(week.values.map { $0 % 7 }), isOpen: week.isOpen),
            years: Set(1_970...2_199))
    }
}
