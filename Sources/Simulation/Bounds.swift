internal import Clocks
internal import Tokens

/// What the rules allow of waiting and of calling, reckoned from what was written, not by the code under test.
final class Bounds {
    private let policy: Policy
    /// Leases lost and calls refused since the last commit.
    private var failures = 0
    /// Refusals of one kind in a row, of one version.
    private var alike = 0
    private var pause: Pause?
    private var leaseEnd = Timestamp(milliseconds: 0)
    private var pauseEnd = Timestamp(milliseconds: 0)
    private var doubtEnd = Timestamp(milliseconds: 0)
    private var gapEnd = Timestamp(milliseconds: 0)
    private var days: [Int64: Day] = [:]
    private var underWay: [Place] = []

    /// What was read may be this old when it is acted on.
    private static let reading = Duration.milliseconds(1_500)
    /// So near to midnight the day is the one or the other.
    private static let midnight = Duration.seconds(2)

    private struct Pause {
        let since: Timestamp
        let until: Timestamp
        let failureClass: FailureClass
        let version: Version
    }

    private struct Day {
        var takes = 0
        var forcedTakes = 0
        /// What reached the provider.
        var calls = 0
        var forcedCalls = 0
        /// Second tries, which the ledger learns of only when they are over.
        var tries = 0
    }

    private struct Place {
        let holder: ObjectIdentifier
        let until: Timestamp
    }

    init(_ policy: Policy) {
        self.policy = policy
    }

    // MARK: What was written

    /// - Parameter read: when the row was read on which the take was decided.
    /// - Returns: the rule that it breaks.
    func taken(
        over row: TokenRow, for reason: RefreshReason, version: Version, read: Timestamp, now: Timestamp
    ) -> String? {
        if row.leaseUntil != nil {
            failures += 1
            alike = 0
        }
        let backoff = failures == 0 ? .zero : Bounds.doubled(1, failures, atMost: 60)
        leaseEnd = max(leaseEnd, now + policy.lease + backoff + Policy.deadLimit)
        if let overlap = policy.overlap { doubtEnd = max(doubtEnd, now + policy.lease + overlap) }
        let day = days[policy.day(at: read)] ?? Day()
        if let quota = policy.quota, reason.isForced, day.calls - day.tries >= Int(quota - quota / 4),
            !isNearMidnight(read)
        {
            return "quota: a forced call out of what is kept for routine ones"
        }
        // At midnight the ledger may know either day.
        for number in Set([policy.day(at: read - Bounds.midnight), policy.day(at: read + Bounds.midnight)]) {
            days[number, default: Day()].takes += 1
            if reason.isForced { days[number, default: Day()].forcedTakes += 1 }
        }

        guard let pause, read >= pause.since, version == pause.version,
            !(reason.isForced && pause.failureClass == .transient), now < pause.until - .seconds(1)
        else { return nil }
        return
            "negative cache: a call \((now - pause.since).wholeMilliseconds) ms after a failure (\(pause.failureClass.rawValue)), \((pause.until - pause.since).wholeSeconds) s are the pause"
    }

    func released(_ release: LeaseRelease, now: Timestamp) {
        leaseEnd = min(leaseEnd, now + Bounds.reading)
        guard let written = release.pause else { return }
        let failureClass = written.failure.failureClass
        let isAlike = pause?.failureClass == failureClass && pause?.version == written.version
        failures += 1
        alike = isAlike ? alike + 1 : 1
        pauseEnd = now + Bounds.pause(failureClass, failures)
        pause = Pause(
            since: now, until: now + Bounds.pause(failureClass, alike), failureClass: failureClass,
            version: written.version)
    }

    func committed(now: Timestamp) {
        failures = 0
        alike = 0
        pause = nil
        leaseEnd = min(leaseEnd, now + Bounds.reading)
        pauseEnd = min(pauseEnd, now + Bounds.reading)
        doubtEnd = now + Bounds.reading
        gapEnd = now + max(policy.gap, .seconds(60))
    }

    func marked(now: Timestamp) {
        doubtEnd = max(doubtEnd, now + (policy.overlap ?? .zero))
    }

    private static func pause(_ failureClass: FailureClass, _ count: Int) -> Duration {
        switch failureClass {
        case .configuration, .reauthorise: doubled(60, count, atMost: 900)
        case .address, .quota: .seconds(60)
        case .transient: doubled(1, count, atMost: 60)
        }
    }

    private static func doubled(_ first: Int64, _ count: Int, atMost limit: Int64) -> Duration {
        .seconds(min(first << min(max(count, 1) - 1, 16), limit))
    }

    // MARK: Waiting

    /// Until when a caller may be sent away: one lease for each lost holder, the pause of each failure, and nothing else.
    func refusalsEnd(_ wish: Wish) -> Timestamp {
        var end = max(leaseEnd, pauseEnd)
        // Whoever says that the token is bad waits for the mint that may not come before.
        if case .replacement = wish { end = max(end, doubtEnd, gapEnd) }
        return end + Bounds.reading
    }

    /// Whether the calls of the day are used up, for this wish.
    func isSpent(_ wish: Wish, at instant: Timestamp) -> Bool {
        if isNearMidnight(instant) { return true }
        let day = days[policy.day(at: instant)] ?? Day()
        if let quota = policy.quota, day.takes + day.tries >= Int(quota) { return true }
        switch wish {
        case .token, .upkeep: return false
        case .flush, .replacement:
            if day.forcedTakes >= Int(policy.flushBudget) { return true }
            return policy.quota.map { day.takes + day.tries >= Int($0 - $0 / 4) } ?? false
        }
    }

    private func isNearMidnight(_ instant: Timestamp) -> Bool {
        policy.day(at: instant - Bounds.midnight) != policy.day(at: instant + Bounds.midnight)
    }

    // MARK: Calls

    /// - Parameters:
    ///   - read: when the row was read on which the call was decided.
    ///   - isActedOn: the provider did what it was asked.
    /// - Returns: the rule that it breaks.
    func called(isForced: Bool, isActedOn: Bool, read: Timestamp) -> String? {
        if isNearMidnight(read) { return nil }
        var day = days[policy.day(at: read)] ?? Day()
        day.calls += 1
        if isForced, isActedOn { day.forcedCalls += 1 }
        days[policy.day(at: read)] = day
        if day.forcedCalls > Int(policy.flushBudget) {
            return "flush budget: \(day.forcedCalls) forced calls a day, \(policy.flushBudget) are allowed"
        }
        guard let quota = policy.quota, day.calls > Int(quota) + day.tries else { return nil }
        return "quota: \(day.calls) calls a day, \(quota) are allowed"
    }

    func triedAgain(read: Timestamp) {
        days[policy.day(at: read), default: Day()].tries += 1
    }

    // MARK: Places

    /// A call leaves for the provider; its place lasts until it ends, and a lease at the most.
    func left(_ holder: ObjectIdentifier, placeUntil: Timestamp, now: Timestamp) -> String? {
        guard let limit = policy.concurrency, placeUntil > now else { return nil }
        underWay.removeAll { $0.until <= now || $0.holder == holder }
        underWay.append(Place(holder: holder, until: placeUntil))
        if underWay.count <= limit { return nil }
        return "concurrency: \(underWay.count) calls of the realm at one time, \(limit) are allowed"
    }

    func cameBack(_ holder: ObjectIdentifier) {
        underWay.removeAll { $0.holder == holder }
    }

    /// A place that may be taken for so long keeps the others waiting.
    func entered(now: Timestamp) {
        leaseEnd = max(leaseEnd, now + policy.lease)
    }
}
