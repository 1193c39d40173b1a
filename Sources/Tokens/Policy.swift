package import Clocks

/// What a provider's rules allow, and the constants of the refresh protocol; `docs/token-lifetime.md` describes the JSON.
package struct Policy: Sendable, Equatable {
    package var providerClass: ProviderClass
    /// How long the previous token lives on after a mint that ends it; nil where no mint does.
    package var overlap: Duration?
    /// The last part of a token's life, in which the provider gives a new one; nil where it does so at any time.
    package var renewWindow: Duration?
    /// Least time from one commit to the next mint while the replaced token may be held.
    package var gap: Duration

    /// Total time of one upstream call.
    package var timeout: Duration
    /// Longest time after `timeout` in which the provider may still act on a request.
    package var grace: Duration
    /// Length of a lease: `timeout` and `grace` must be left of it at the look, the rest goes to connecting.
    package var lease: Duration
    /// Longest time an answer may be under way and still be used.
    package var patience: Duration
    /// Upstream calls of the realm at one time, over all instances; nil for no limit.
    package var concurrency: Int?

    /// Forced mints a day, by flush and report together, for each secret.
    package var flushBudget: Int64
    /// Calls a day that the provider allows for each secret; nil for no limit.
    package var quota: Int64?
    /// When the provider's day begins, east of UTC.
    package var dayOffset: Duration

    /// Bounds for the life that the provider grants.
    package var minimumLife: Duration?
    package var maximumLife: Duration?

    /// Whether the schedule refreshes what turns soft.
    package var isScheduled: Bool
    /// Where nobody has asked for that long, the schedule lets the token lapse.
    package var idleAfter: Duration
    /// Who is told of every new generation and of every refresh that failed.
    package var noticeURL: String?

    /// The defaults of a class.
    package init(_ providerClass: ProviderClass = .killsPrevious) {
        self.providerClass = providerClass
        switch providerClass {
        case .killsPrevious, .unspecified:
            overlap = .seconds(300)
            gap = .seconds(120)
        case .sameUntilWindow:
            overlap = .seconds(300)
            renewWindow = .seconds(300)
            gap = .seconds(120)
        case .sameWhileValid:
            renewWindow = Policy.deadLimit
            gap = .zero
        case .extends, .independent, .singleUse: gap = .zero
        }
        timeout = .seconds(5)
        grace = .seconds(2)
        lease = .seconds(10)
        patience = .seconds(10)
        flushBudget = 20
        dayOffset = .seconds(8 * 3_600)
        isScheduled = true
        idleAfter = .seconds(7 * 86_400)
    }

    /// Where nothing is declared: a mint kills the token before after 300 s, the safest guess.
    package static let undeclared = Policy()

    /// Less than this left is dead.
    package static let deadLimit = Duration.seconds(2)
}

extension Policy {
    /// Whether a mint for this reason ends the stored token before its time.
    ///
    /// In class B an unforced call gives the same token, or a new one when the old is at its end anyway.
    package func kills(_ reason: RefreshReason?) -> Bool {
        overlap != nil && (providerClass != .sameUntilWindow || reason?.isForced == true)
    }

    /// The largest `max-age`.
    var cap: Duration {
        guard let overlap else { return .seconds(60) }
        return max(.zero, min(.seconds(60), overlap - patience, gap - patience))
    }

    /// A token with no more than this left is refreshed by whoever asks first; the margin scales with the token's life.
    ///
    /// - Parameter life: the whole life that was granted.
    package func softMargin(life: Duration) -> Duration {
        var soft = hardPart(life: life) + min(.seconds(900), life / 5)
        if let renewWindow { soft = min(soft, renewWindow) }
        // A routine refresh must cut nobody's `expires_in` short.
        if let overlap { soft = min(soft, overlap) }
        return soft
    }

    /// A token with no more than this left is refreshed before the answer, and served if that fails.
    package func hardMargin(life: Duration) -> Duration {
        min(hardPart(life: life), softMargin(life: life))
    }

    private func hardPart(life: Duration) -> Duration {
        min(.seconds(120), max(.seconds(10), life / 50), life / 4)
    }

    /// The margin at which a caller that wants `minimumLife` makes a token due.
    ///
    /// Where a mint kills, one caller's wish must not bring forward what ends the token of others; where the provider gives
    /// a new token only late, asking earlier is in vain, and what the new one may do to the old must cut nobody's `expires_in`
    /// short. Half the granted life is the most that can be wished for, so that wishes at most double the number of calls.
    func softMargin(life: Duration, wishing minimumLife: Duration?) -> Duration {
        let soft = softMargin(life: life)
        guard let minimumLife, !kills(.soft) else { return soft }
        var bound = life / 2
        if let renewWindow { bound = min(bound, renewWindow) }
        if let overlap { bound = min(bound, overlap) }
        return max(soft, min(minimumLife, bound))
    }

    /// The life to believe in when the provider grants `life`.
    func granted(_ life: Duration?) -> Duration? {
        guard var life = life ?? maximumLife else { return nil }
        if let minimumLife { life = max(life, minimumLife) }
        if let maximumLife { life = min(life, maximumLife) }
        return life
    }

    /// The number of the provider's day at an instant.
    package func day(at now: Timestamp) -> Int64 {
        let shifted = (now + dayOffset).milliseconds
        return shifted >= 0 ? shifted / 86_400_000 : (shifted - 86_399_999) / 86_400_000
    }

    /// The provider's next midnight.
    package func midnight(after now: Timestamp) -> Timestamp {
        Timestamp(milliseconds: (day(at: now) + 1) * 86_400_000) - dayOffset
    }

    /// How long an upstream call may take so that its answer can still be stored and sent; nil where that is too little.
    func callTime(until deadline: Moment?, now: Moment) -> Duration? {
        guard let deadline else { return timeout }
        let left = now.timeLeft(until: deadline) - .milliseconds(500)
        return left < min(.seconds(1), timeout) ? nil : min(timeout, left)
    }

    /// Calls that routine refreshes shall still find, however many are forced.
    var quotaReserve: Int64 { (quota ?? 0) / 4 }
}

extension Policy {
    /// When the schedule refreshes a token; nil for one that it leaves alone.
    ///
    /// Where a mint kills, not before the token turns soft, so that nobody's `expires_in` is cut short; else one tick earlier. The
    /// jitter spreads tokens that were made together over a tenth of the soft margin, and is the same for a secret every time.
    package func scheduleAt(_ id: SecretID, expiresAt: Timestamp?, life: Duration?) -> Timestamp? {
        guard isScheduled, let expiresAt, let life else { return nil }
        let soft = softMargin(life: life)
        let lookahead = !kills(.soft) && renewWindow == nil ? min(Policy.tick, soft) : .zero
        let jitter = Duration.milliseconds(Int64(id.spread % UInt64(max(1, (soft / 10).wholeMilliseconds))))
        return expiresAt - soft - lookahead + jitter
    }

    /// How often the schedule comes round.
    package static let tick = Duration.seconds(60)
}

extension SecretID {
    /// A number that is the same on every instance and in every build: 64-bit FNV-1a over realm, NUL and key.
    fileprivate var spread: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in [realm.utf8, "\0".utf8, key.utf8].joined() { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        // The low bits of FNV mix poorly for short names.
        return hash ^ (hash >> 32)
    }
}
