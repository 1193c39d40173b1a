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

    init(_ world: World) {
        self.world = world
    }

    // MARK: Rule 2

    /// - Parameter instant: when the database read what the answer was made of.
    func check(_ answer: Answer, read snapshot: Snapshot, at instant: Timestamp, _ wish: Wish) {
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
    }

    func check(_ refusal: Refusal) {
        world.count(.refusal)
        world.note("refuses \(refusal)")
        if case .spent = refusal {
            world.count(.spent)
            return
        }
        if world.scenario.isCalm { world.violate("rule 4: a refusal though nothing went wrong: \(refusal)") }
        switch refusal {
        case .storeBroken: world.violate("the store was called broken")
        // One lease, the doubt that it leaves, and the pause of a failure: all of it ends.
        case .busy, .upstream, .storeUnavailable:
            let policy = world.scenario.policy
            let longest = policy.lease + (policy.overlap ?? .zero) + .seconds(960)
            if world.now > world.disturbedUntil + longest {
                world.violate("rule 4: a refusal long after the last fault: \(refusal)")
            }
        default: break
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
        if let quota = policy.quota {
            // One midnight may lie in a history, and the second try of a transient failure is counted after it was made.
            let tries = world.count(of: [.providerBusy, .connectionRefused])
            if world.calls > 2 * Int(quota) + tries { world.violate("rule 7: \(world.calls) calls, \(quota) a day") }
        }
        guard policy.kills(.soft) else { return }
        let soft = policy.softMargin(life: scenario.life)
        let routine = Int(scenario.length / (scenario.life - soft - Policy.tick)) + 1
        let forced = Int(scenario.length / policy.gap) + 1
        let faults = world.count(of: Event.faults) + 2 * world.count(of: [.edit, .discard])
        if world.calls > routine + forced + faults {
            world.violate(
                "rule 7: \(world.calls) calls, \(routine) by lifetime, \(forced) by gap, \(faults) for faults")
        }
    }
}
