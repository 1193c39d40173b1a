package import Clocks

/// When a timer runs.
package struct Schedule: Sendable {
    enum Kind: Sendable {
        case every(Duration)
        case cron(CronExpression, TimeZone)
        /// Once, in seconds since 1970.
        case once(Int)
    }

    let kind: Kind

    init(kind: Kind) {
        self.kind = kind
    }

    package static func every(_ period: Duration) -> Schedule { Schedule(kind: .every(period)) }

    /// The first time after an instant; nil where there is none any more.
    ///
    /// - Parameter start: when the timer was made: what runs every so often runs for the first time so long after it.
    package func next(after instant: Timestamp, since start: Timestamp) -> Timestamp? {
        switch kind {
        case .every(let period):
            let step = max(period.wholeMilliseconds, 1)
            let gone = max(instant.milliseconds - start.milliseconds, 0) / step
            return Timestamp(milliseconds: start.milliseconds + (gone + 1) * step)
        case .cron(let expression, let zone):
            return expression.next(after: floored(instant), in: zone).map(Schedule.instant)
        case .once(let second): return second > floored(instant) ? Schedule.instant(second) : nil
        }
    }

    private func floored(_ instant: Timestamp) -> Int {
        let milliseconds = Int(instant.milliseconds)
        return (milliseconds >= 0 ? milliseconds : milliseconds - 999) / 1_000
    }

    private static func instant(_ seconds: Int) -> Timestamp { Timestamp(milliseconds: Int64(seconds) * 1_000) }
}
