/// What a provider's rules allow, and the constants of the refresh protocol.
package struct Policy: Sendable, Equatable {
    /// How long the previous token lives on after a mint; nil where a mint kills nothing.
    package var overlap: Duration?
    /// Least time from one commit to the next mint while the replaced token may be held.
    package var gap: Duration
    /// Total time of one upstream call.
    package var timeout: Duration
    /// Longest time after `timeout` in which the provider may still act on a request.
    package var grace: Duration
    /// Length of a lease: `timeout` and `grace` must be left of it at the look, the rest goes to connecting.
    package var lease: Duration

    package init(
        overlap: Duration? = .seconds(300), gap: Duration = .seconds(120), timeout: Duration = .seconds(5),
        grace: Duration = .seconds(2), lease: Duration = .seconds(10)
    ) {
        self.overlap = overlap
        self.gap = gap
        self.timeout = timeout
        self.grace = grace
        self.lease = lease
    }

    /// Where nothing is declared: a mint kills the token before after 300 s, the safest guess.
    package static let undeclared = Policy()

    /// Patience: the longest time an answer may be under way and still be used.
    package static let patience = Duration.seconds(10)
    /// Less than this left is dead.
    package static let deadLimit = Duration.seconds(2)

    /// The largest `max-age`.
    var cap: Duration {
        guard let overlap else { return .seconds(60) }
        return max(.zero, min(.seconds(60), overlap - Policy.patience, gap - Policy.patience))
    }
}

extension Policy {
    /// A token with no more than this left is refreshed by whoever asks first; the margin scales with the token's life.
    ///
    /// - Parameter life: the whole life that was granted.
    func softMargin(life: Duration) -> Duration {
        let hard = min(.seconds(120), max(.seconds(10), life / 50), life / 4)
        let soft = hard + min(.seconds(900), life / 5)
        // A routine refresh must cut nobody's `expires_in` short.
        return overlap.map { min(soft, $0) } ?? soft
    }
}

/// How long nobody tries again after a failure.
package enum Backoff {
    /// After `fails` failures of this class in a row, the new one included.
    package static func pause(_ failure: UpstreamFailure, fails: Int64) -> Duration {
        let asked = failure.retryAfter.map { min(max($0, .seconds(1)), .seconds(3_600)) }
        switch failure.failureClass {
        case .configuration: return doubled(.seconds(60), fails, atMost: .seconds(900))
        case .address: return asked ?? .seconds(60)
        case .quota: return asked ?? .seconds(60)
        case .transient: return asked ?? doubled(.seconds(1), fails, atMost: .seconds(60))
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
