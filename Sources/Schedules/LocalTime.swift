internal import Clocks

/// What the clocks on the wall show somewhere, in seconds from 1970-01-01 00:00 as they show it.
struct LocalTime: Comparable, Sendable {
    var seconds: Int

    init(seconds: Int) {
        self.seconds = seconds
    }

    init(_ date: CivilDate, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        seconds = date.daysSinceEpoch * 86_400 + hour * 3_600 + minute * 60 + second
    }

    var date: CivilDate { CivilDate(daysSinceEpoch: day) }
    var second: Int { seconds - day * 86_400 }

    private var day: Int { seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400 }

    static func < (left: LocalTime, right: LocalTime) -> Bool { left.seconds < right.seconds }
}
