/// An instant in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Instants of tokens and leases are the database's; a machine's own wall clock gives them only where no database answers.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }

    package static func + (instant: Timestamp, duration: Duration) -> Timestamp {
        Timestamp(milliseconds: instant.milliseconds + duration.wholeMilliseconds)
    }

    package static func - (instant: Timestamp, duration: Duration) -> Timestamp {
        Timestamp(milliseconds: instant.milliseconds - duration.wholeMilliseconds)
    }

    package static func - (later: Timestamp, earlier: Timestamp) -> Duration {
        Duration(attoseconds: Int128(later.milliseconds - earlier.milliseconds) * 1_000_000_000_000_000)
    }
}

extension Duration {
    /// The duration in whole milliseconds, fractions cut off toward zero.
    package var wholeMilliseconds: Int64 {
        Int64(truncatingIfNeeded: attoseconds / 1_000_000_000_000_000)
    }

    /// The duration in whole seconds, fractions cut off toward zero.
    package var wholeSeconds: Int64 {
        Int64(truncatingIfNeeded: attoseconds / 1_000_000_000_000_000_000)
    }

    /// The duration in whole seconds, fractions rounded up; what `Retry-After` wants.
    package var secondsRoundedUp: Int64 {
        components.seconds + (components.attoseconds > 0 ? 1 : 0)
    }
}
