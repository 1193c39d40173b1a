package import Clocks

/// How long nobody tries again after a failure.
package enum Backoff {
    /// After `fails` failures in a row, the new one included; `now` is when it failed, by the database's clock.
    package static func pause(_ failure: UpstreamFailure, fails: Int64, policy: Policy, now: Timestamp) -> Duration {
        let asked = failure.retryAfter.map { min(max($0, .seconds(1)), .seconds(86_400)) }
        switch failure.failureClass {
        case .configuration, .reauthorise: return doubled(.seconds(60), fails, atMost: .seconds(900))
        case .address: return asked ?? .seconds(60)
        case .quota:
            let daily = failure.isDaily ? policy.midnight(after: now) - now : .zero
            return max(asked ?? .seconds(60), daily)
        case .transient:
            return asked.map { min($0, .seconds(300)) } ?? doubled(.seconds(1), fails, atMost: .seconds(60))
        }
    }

    /// What is added to a lease that ran out, from the second in a row on.
    static func afterLostLeases(_ fails: Int64) -> Duration {
        fails < 1 ? .zero : doubled(.seconds(1), fails, atMost: .seconds(60))
    }

    private static func doubled(_ first: Duration, _ fails: Int64, atMost limit: Duration) -> Duration {
        let exponent = min(max(fails - 1, 0), 16)
        return min(first * (1 << exponent), limit)
    }
}
