internal import Clocks

/// How long one invocation may take.
struct TimeLimit {
    /// Kept back for writing and sending the answer; at most a fifth of the time there is.
    static let reserve = Duration.milliseconds(150)
    /// Where neither the platform nor the environment sets a limit.
    static let fallback = Duration.seconds(30)
    /// Before 2001 as an instant: such a value is a duration, which some emulators send.
    private static let firstInstant = Timestamp(milliseconds: 1_000_000_000_000)

    /// The moment at which the platform ends the invocation.
    let end: Moment
    /// The moment by which the answer must be on its way.
    let deadline: Moment

    init(deadline: Timestamp?, fallback: Duration, at now: Moment) {
        var left = fallback
        if let deadline {
            left = deadline < Self.firstInstant ? .milliseconds(deadline.milliseconds) : deadline - now.wall
        }
        left = max(left, .zero)
        end = now + left
        self.deadline = now + (left - min(Self.reserve, left / 5))
    }
}
