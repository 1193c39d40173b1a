internal import Clocks

/// When a cron expression asks to run, as AWS and Alibaba's Function Compute write them.
///
/// A time that clocks skip is skipped, and one that they show twice counts once, the first time: so does EventBridge Scheduler
/// (its user guide, "Schedule types"); Function Compute says nothing about it.
struct CronExpression: Sendable {
    /// Days of a month that are not a list of numbers.
    enum DayOfMonth: Sendable {
        case listed(CronField)
        /// `L`.
        case last
        /// `15W`: the day from Monday to Friday that is nearest, in the same month.
        case nearestWeekday(Int)
    }

    /// Weekdays count from Sunday, 0.
    enum DayOfWeek: Sendable {
        case listed(Set<Int>, isOpen: Bool)
        /// `6L`: the last of the month.
        case last(Int)
        /// `3#2`: the second of the month.
        case numbered(Int, occurrence: Int)
    }

    private let seconds, minutes, hours, months, years: [Int]
    private let dayOfMonth: DayOfMonth
    private let dayOfWeek: DayOfWeek

    init(
        seconds: Set<Int>, minutes: Set<Int>, hours: Set<Int>, dayOfMonth: DayOfMonth, months: Set<Int>,
        dayOfWeek: DayOfWeek, years: Set<Int>
    ) {
        self.seconds = seconds.sorted()
        self.minutes = minutes.sorted()
        self.hours = hours.sorted()
        self.months = months.sorted()
        self.years = years.sorted()
        self.dayOfMonth = dayOfMonth
        self.dayOfWeek = dayOfWeek
    }

    /// The first instant after the given one, both in seconds since 1970; nil where there is none any more.
    func next(after instant: Int, in zone: TimeZone) -> Int? {
        // Each time counts when clocks first show it, so a later time is a later instant, and the search starts here.
        let start = LocalTime(seconds: zone.local(at: instant).seconds + 1)
        let today = start.date
        for year in years where year >= today.year {
            for month in months where year > today.year || month >= today.month {
                for day in 1...CivilDate.daysInMonth(year, month) {
                    let date = CivilDate(year, month, day)
                    if date.daysSinceEpoch < today.daysSinceEpoch || !runs(on: date) { continue }
                    if let found = time(on: date, from: start, after: instant, in: zone) { return found }
                }
            }
        }
        return nil
    }

    private func time(on date: CivilDate, from start: LocalTime, after instant: Int, in zone: TimeZone) -> Int? {
        for hour in hours where LocalTime(date, hour: hour, minute: 59, second: 59) >= start {
            for minute in minutes where LocalTime(date, hour: hour, minute: minute, second: 59) >= start {
                for second in seconds {
                    let local = LocalTime(date, hour: hour, minute: minute, second: second)
                    guard local >= start, let found = zone.instant(of: local), found > instant else { continue }
                    return found
                }
            }
        }
        return nil
    }

    private func runs(on date: CivilDate) -> Bool {
        switch (dayOfMonth, dayOfWeek) {
        // Where both name days, either is enough, as in crontab(5).
        case (.listed(let days), .listed(let weekdays, isOpen: false)) where !days.isOpen:
            days.values.contains(date.day) || weekdays.contains(date.weekday)
        default: isInMonth(date) && isInWeek(date)
        }
    }

    private func isInMonth(_ date: CivilDate) -> Bool {
        let length = CivilDate.daysInMonth(date.year, date.month)
        switch dayOfMonth {
        case .listed(let days): return days.values.contains(date.day)
        case .last: return date.day == length
        case .nearestWeekday(let day):
            guard day <= length else { return false }
            let wanted = CivilDate(date.year, date.month, day)
            let nearest =
                switch wanted.weekday {
                case 6: day > 1 ? day - 1 : day + 2
                case 0: day < length ? day + 1 : day - 2
                default: day
                }
            return date.day == nearest
        }
    }

    private func isInWeek(_ date: CivilDate) -> Bool {
        switch dayOfWeek {
        case .listed(let weekdays, _): weekdays.contains(date.weekday)
        case .last(let weekday):
            date.weekday == weekday && date.day > CivilDate.daysInMonth(date.year, date.month) - 7
        case .numbered(let weekday, let occurrence): date.weekday == weekday && (date.day - 1) / 7 + 1 == occurrence
        }
    }
}
