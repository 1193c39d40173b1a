internal import Clocks
internal import FakeProvider
internal import Log
internal import Tokens

/// The rules that must hold (`docs/token-lifetime.md`), judged by what the provider knows.
final class Rules {
    private let world: World
    private(set) var answers = 0
    /// The last time an administrator ended tokens at once.
    var discardedAt: Timestamp?

    /// What a mark and the refresh that heals it may still end of what was promised before.
    private static let healing = Duration.seconds(150)
    /// What a token's life may lose between the look and the answer.
    private static let travel = Duration.seconds(3)

    init(_ world: World) {
        self.world = world
    }

    // MARK: Rule 2

    /// - Parameter instant: when the database read what the answer was made of.
    func check(_ answer: Answer, read snapshot: Snapshot, at instant: Timestamp, _ wish: Wish, _ task: Task) {
        answers += 1
        if answer.isStale { world.count(.stale) }
        if answer.isSuppressed { world.count(.suppressed) }
        guard let number = TokenName.number(answer.token.reveal()) else { return }
        let token = world.provider.token(number)
        world.note("answers t\(number), max-age \(answer.maxAge.wholeSeconds)\(answer.isStale ? ", stale" : "")")
        if token.diesAt <= instant, !isExcused(number, endedBy: token.endedBy, at: instant) {
            world.violate("rule 2: t\(number) was served dead")
        }
        if let expiresIn = answer.expiresIn, expiresIn < Policy.deadLimit {
            world.violate("rule 2: t\(number) was served with \(expiresIn.wholeMilliseconds) ms left")
        }
        if case .replacement(let reported) = wish, reported == answer.token.reveal() {
            world.violate("a reporter was answered with the token it reported")
        }
        let version = world.mints[number].version
        // Who asked before the edit was made may have read before it, too: what counts is what was read.
        if !answer.isStale, version != snapshot.version {
            world.violate("t\(number) of older credentials was served as the present ones'")
        }
        if version.secret < snapshot.validFrom.secret || version.realm < snapshot.validFrom.realm {
            world.violate("t\(number) was served though an administrator discarded it")
        }
        checkMinimumLife(answer, snapshot, wish, task)
    }

    /// Where a mint ends nothing, a caller gets the life that it asks for, up to half of what is granted.
    private func checkMinimumLife(_ answer: Answer, _ snapshot: Snapshot, _ wish: Wish, _ task: Task) {
        let scenario = world.scenario
        let policy = scenario.policy
        guard case .token(let wished?) = wish, policy.overlap == nil, policy.renewWindow == nil,
            policy.concurrency == nil, let expiresIn = answer.expiresIn
        else { return }
        // Whoever meets another's refresh, or a failure, gets what there is.
        guard !answer.isStale, snapshot.row.leaseUntil == nil, scenario.workersPerInstance == 1, !task.isDisturbed
        else { return }
        let least = min(wished, scenario.life / 2) - Rules.travel
        if expiresIn < least {
            world.violate("min_ttl: \(expiresIn.wholeSeconds) s were given, \(wished.wholeSeconds) s asked for")
        }
    }

    // MARK: Rules 4 and 6

    /// - Parameter read: the last reading of the row by whoever refuses.
    func check(_ refusal: Refusal, _ wish: Wish, _ task: Task, _ read: (at: Timestamp, snapshot: Snapshot)?) {
        world.count(.refusal)
        world.note("refuses \(refusal)")
        if let read, refusal != .storeUnavailable, !task.isDisturbed {
            checkFallback(refusal, wish, read.snapshot, at: read.at)
        }
        switch refusal {
        case .spent:
            world.count(.spent)
            if !task.isDisturbed, let read, !world.bounds.isSpent(wish, at: read.at) {
                world.violate("rule 7: a refusal for calls that are not used up: \(refusal)")
            }
            return
        case .storeBroken: world.violate("the store was called broken")
        case .unknownRealm, .unknownSecret, .noUpstream, .denied: world.violate("\(refusal)")
        case .sameTokenAgain:
            let kind = world.scenario.kind
            if kind != .sameWhileValid, kind != .extends { world.violate("rule 4: \(refusal)") }
            return
        case .upstream, .busy, .held, .storeUnavailable: break
        }
        if world.scenario.isCalm { world.violate("rule 4: a refusal though nothing went wrong: \(refusal)") }
        checkDelay(refusal, wish, task)
    }

    /// A caller is sent away only while a holder may still be at it, a failure's pause lasts, or its own machine failed.
    private func checkDelay(_ refusal: Refusal, _ wish: Wish, _ task: Task) {
        if task.isDisturbed { return }
        if refusal == .storeUnavailable {
            // Somebody in the same process learnt it.
            if world.now - world.databaseFailedAt > .seconds(1) {
                world.violate("rule 4: a database that was there was called away")
            }
            return
        }
        let end = world.bounds.refusalsEnd(wish)
        if world.now > end {
            world.violate(
                "rule 4: a refusal \((world.now - end).wholeMilliseconds) ms after what may delay a caller: \(refusal)")
        }
    }

    /// While the stored token lives it is what everybody gets but its reporter.
    private func checkFallback(_ refusal: Refusal, _ wish: Wish, _ snapshot: Snapshot, at instant: Timestamp) {
        let row = snapshot.row
        guard let token = row.token, let number = TokenName.number(token.reveal()),
            wish != .replacement(of: token.reveal()),
            let mintedFor = row.mintedFor, mintedFor.realm >= snapshot.validFrom.realm,
            mintedFor.secret >= snapshot.validFrom.secret, row.doubts == 0, row.diesAt == nil
        else { return }
        if let takenAt = row.takenAt {
            // Who waits for another's call may be sent away; who made one itself, and failed, may not.
            guard case .upstream = refusal else { return }
            if let overlap = world.scenario.policy.overlap, takenAt + overlap <= instant + Rules.travel { return }
        }
        let end = min(world.provider.token(number).diesAt, row.expiresAt ?? instant + .seconds(3_600))
        if end > instant + Rules.travel {
            world.violate("rule 6: a refusal though t\(number) lives for \((end - instant).wholeSeconds) s: \(refusal)")
        }
    }

    /// Whether nobody could know: a late mint that was not yet written down, or never can be.
    private func isExcused(_ number: Int, endedBy killer: Int?, at instant: Timestamp) -> Bool {
        guard let killer else { return false }
        // Only the newest two live: a late mint in between makes the next one end the token at once.
        return (number + 1...killer).contains { index in
            let call = world.mints[index]
            guard call.isLate else { return false }
            guard let markedAt = call.markedAt, !call.isStampedLate, !call.isCutOff else { return true }
            return instant < markedAt + Rules.healing
        }
    }

    // MARK: Rule 3

    /// Whoever asked at `sent` may use the token for `max-age`.
    func expect(_ answer: Answer, sent: Timestamp) {
        guard let number = TokenName.number(answer.token.reveal()) else { return }
        if answer.maxAge > .zero {
            let end = sent + answer.maxAge
            world.at(end) { [self] in checkPromise(number, until: end, since: sent) }
        }
        // Without a flush, an edit or a fault nobody's `expires_in` is cut short either.
        if world.scenario.isCalm, let expiresIn = answer.expiresIn {
            let end = world.now + expiresIn - .seconds(2)
            world.at(end) { [self] in
                if world.provider.token(number).diesAt < end {
                    world.violate("rule 3: the expires_in of t\(number) was cut short")
                }
            }
        }
    }

    private func checkPromise(_ number: Int, until end: Timestamp, since sent: Timestamp) {
        let token = world.provider.token(number)
        guard token.diesAt < end else { return }
        // A copy that a cache took before lives on there for its minute.
        if let discardedAt, discardedAt > sent - .seconds(75) { return }
        if let killer = token.endedBy {
            // A late mint, and what heals it.
            if (number + 1...killer).contains(where: { world.mints[$0].isLate }) { return }
            let killedAt = world.mints[killer].mintedAt
            if world.marks.contains(where: { $0 <= killedAt && killedAt <= $0 + Rules.healing }) { return }
        }
        world.violate(
            "rule 3: t\(number) died \((end - token.diesAt).wholeMilliseconds) ms before its max-age was over")
    }

    // MARK: Rule 1

    /// At the end: each call whose token nobody has is paid for by something that went wrong during it.
    func checkCalls() {
        for (number, call) in world.mints.enumerated() where !call.isStored && !call.hadFault {
            // What is still under way at the end of the world cannot be stored.
            if world.now - call.mintedAt < .seconds(60) { continue }
            world.violate("rule 1: t\(number) was minted and not stored, though nothing went wrong")
        }
        checkNumberOfCalls()
    }

    // MARK: Rule 7

    /// Calls follow from lifetime, gap and what went wrong, whatever callers do.
    private func checkNumberOfCalls() {
        let scenario = world.scenario
        let policy = scenario.policy
        var margin = policy.softMargin(life: scenario.life)
        margin += min(Policy.tick, margin)
        // A caller's wish for a longer life is granted up to half of it.
        if policy.overlap == nil, policy.renewWindow == nil, scenario.minimumLives > 0 {
            margin = max(margin, scenario.life / 2)
        }
        // Where the provider gives the stored token again, once before its end, at it, and after it.
        let perLife = policy.renewWindow == nil ? 1 : 3
        let routine = perLife * (Int(scenario.length / (scenario.life - margin)) + 1)
        var forced = Int(policy.flushBudget) * (world.count(of: [.midnight]) + 1)
        // A token that was given again is asked for again after a minute.
        let isSameAgain = scenario.kind == .sameWhileValid || scenario.kind == .extends
        let gap = isSameAgain ? max(policy.gap, .seconds(60)) : policy.gap
        if gap > .zero { forced = min(forced, Int(scenario.length / gap) + 1) }
        let faults = world.count(of: Event.faults) + 2 * world.count(of: [.edit, .discard])
        if world.calls > routine + forced + faults {
            world.violate(
                "rule 7: \(world.calls) calls, \(routine) by lifetime, \(forced) by gap and budget, \(faults) for faults"
            )
        }
    }

    // MARK: The schedule

    /// At the end: where nothing goes wrong, no caller of a realm with a schedule meets a dead token but the first.
    func checkSchedule() {
        let scenario = world.scenario
        guard scenario.isCalm, scenario.isScheduled, scenario.policy.quota == nil,
            scenario.policy.softMargin(life: scenario.life) >= Policy.tick * 2, world.deadRefreshes > 1
        else { return }
        world.violate("schedule: \(world.deadRefreshes - 1) refreshes of a dead token")
    }
}
