package import Clocks
internal import Log

/// Decides what a caller gets: the stored token, a new one, a failure, or a time to wait.
///
/// One value belongs to one worker. It keeps nothing between calls: everything that several instances must agree on is in
/// the row, and everything here follows the refresh protocol (`docs/token-lifetime.md`).
package final class Broker {
    private let store: any TokenStore
    private let clock: any Clock
    private let refresher: Refresher
    private let flights: Flights

    /// Longest time to look again before a lease ends.
    private static let longestPoll = Duration.milliseconds(200)
    /// A wait that is shorter than this is worth it when there is nothing to serve.
    private static let worthWaiting = Duration.seconds(5)
    /// Where the platform sets no deadline.
    private static let longestWait = Duration.seconds(15)

    /// - Parameter flights: shared by all brokers of the process.
    package init(
        store: any TokenStore, audit: (any AuditStore)? = nil, upstream: any Upstream, clock: any Clock,
        random: any RandomNumberGenerator = SystemRandomNumberGenerator(), flights: Flights = Flights()
    ) {
        self.store = store
        self.clock = clock
        self.flights = flights
        refresher = Refresher(store: store, audit: audit, upstream: upstream, clock: clock, random: random)
    }

    /// - Parameters:
    ///   - visitor: who asks; nil for the service itself, which may everything.
    ///   - requestID: of the request that asks, for the audit; nil where nothing is written down.
    ///   - arrival: when the request came; nil where nothing tells, or who asks has waited since.
    ///   - deadline: by which the answer must be on its way; nil where nothing sets one.
    ///   - patience: what the last `.wait` for this caller handed over.
    package func decide(
        _ id: SecretID, wish: Wish, visitor: (any Visitor)? = nil, requestID: String? = nil,
        arrival: Moment? = nil, deadline: Moment?, resuming patience: Patience? = nil
    ) -> Decision {
        var wish = wish
        // The first reading alone may be another's: from then on what was written here must show.
        var arrival = patience == nil ? arrival : nil
        var patience = patience
        var ended: Refresher.Ended?
        if let flight = patience?.flight, let waiting = patience {
            // Nothing is asked of the database while somebody in this process is on the way.
            guard let result = flight.ended else {
                return wait(Broker.longestPoll, waiting, deadline: deadline)
            }
            ended = result.shared
            patience?.flight = nil
        }
        // Every turn but the last ends in a refresh or in a row that somebody changed meanwhile.
        for _ in 0..<8 {
            if let deadline, clock.now().timeLeft(until: deadline) <= .zero { break }
            let snapshot: Snapshot
            let caller: Caller
            do throws(Refusal) {
                (snapshot, caller) = try read(id, for: visitor, arrival: arrival)
            } catch {
                return .refuse(error)
            }
            arrival = nil
            let elapsed = snapshot.asked.elapsed(to: clock.now())
            // An answer that was long under way may speak of a token that is no more.
            if elapsed > .seconds(1) { continue }

            let isFirst = patience == nil
            let waiting = patience ?? Patience(seen: .init(snapshot.row), since: snapshot.asked, attempts: 0)
            patience = waiting
            if wish == .flush, waiting.seen != .init(snapshot.row) { wish = .token(minimumLife: nil) }

            let view = View(
                snapshot: snapshot, wish: wish,
                assessment: Assessment(
                    snapshot, wish: wish, now: snapshot.now + elapsed, passesBudget: caller.passesBudget),
                ended: ended)
            if isFirst { noteEarlyReport(id, view) }
            switch view.next {
            case .say(let decision):
                if isFirst, wish != .upkeep { noteUse(id, decision, view) }
                return decision
            case .wait(let time, let refusal): return wait(time, waiting, deadline: deadline, orElse: refusal)
            case .refresh(let reason):
                guard snapshot.policy.callTime(until: deadline, now: clock.now()) != nil else {
                    return view.unrefreshed ?? .refuse(.busy(retryAfter: .seconds(1)))
                }
                switch flights.board(id) {
                case .passenger(let flight):
                    if let answer = view.atOnce { return answer }
                    var waiting = waiting
                    waiting.flight = flight
                    return wait(Broker.longestPoll, waiting, deadline: deadline)
                case .full: return view.unrefreshed ?? wait(Broker.longestPoll, waiting, deadline: deadline)
                case .pilot(let flight):
                    let result = refresher.refresh(
                        id, snapshot: snapshot, assessment: view.assessment, reason: reason,
                        isUse: wish != .upkeep,
                        author: requestID.map { Author(caller: caller.id, requestID: $0) }, deadline: deadline)
                    flights.land(id, flight, result)
                    if case .crowded = result {
                        return view.unrefreshed ?? wait(Broker.longestPoll, waiting, deadline: deadline)
                    }
                    ended = result
                }
            }
        }
        return .refuse(.busy(retryAfter: .seconds(1)))
    }

    /// Who waits is looked at again with every reading: a key that is revoked meanwhile ends the wait.
    private func read(
        _ id: SecretID, for visitor: (any Visitor)?, arrival: Moment?
    ) throws(Refusal) -> (Snapshot, Caller) {
        let reading = try stored { () throws(StoreError) in
            try store.read(id, keyID: visitor?.keyID, arrival: arrival, clock: clock)
        }
        var caller = Caller.schedule
        if let visitor {
            do throws(Denial) {
                caller = try visitor.admit(reading.key)
            } catch {
                throw .denied(error)
            }
        }
        // Outside its scope a caller learns nothing, not even from the realm's absence.
        if !caller.scope.contains(id) { throw caller.scope.touches(id.realm) ? .unknownSecret : .unknownRealm }
        switch try stored({ () throws(StoreError) in try reading.lookup() }) {
        case .found(let snapshot): return (snapshot, caller)
        case .unknownRealm: throw .unknownRealm
        case .unknownSecret: throw .unknownSecret
        }
    }

    private func stored<Result>(_ body: () throws(StoreError) -> Result) throws(Refusal) -> Result {
        do throws(StoreError) {
            return try body()
        } catch .broken(let what) {
            throw .storeBroken(what)
        } catch {
            throw .storeUnavailable
        }
    }

    /// - Parameter refusal: what is said where there is no time to wait; nil while somebody else's call is waited for.
    private func wait(
        _ time: Duration, _ patience: Patience, deadline: Moment?, orElse refusal: Refusal? = nil
    ) -> Decision {
        let now = clock.now()
        let limit = deadline ?? patience.since + Broker.longestWait
        // Look again at 50, 100, 200 ms, so that whoever waits learns soon that the holder is done.
        let poll = min(.milliseconds(50) * (1 << min(patience.attempts, 2)), Broker.longestPoll)
        let delay = max(.milliseconds(1), min(time, poll))
        if delay + .milliseconds(300) > now.timeLeft(until: limit) {
            return .refuse(refusal ?? .busy(retryAfter: max(time, .seconds(1))))
        }
        var patience = patience
        patience.attempts += 1
        return .wait(delay: delay, patience: patience)
    }

    // MARK: Notes

    /// Keeps the schedule informed that somebody asks, by one statement in an eighth of the time after which a secret is idle.
    private func noteUse(_ id: SecretID, _ decision: Decision, _ view: View) {
        let snapshot = view.snapshot
        guard case .answer(let answer) = decision, answer.source == .database, snapshot.policy.isScheduled,
            snapshot.hasUpstream, answer.expiresAt != nil
        else { return }
        let now = view.assessment.now
        let usedAt = snapshot.row.usedAt
        // A token that the schedule was kept from, or let lapse, is the schedule's again.
        let dueAt =
            snapshot.row.dueAt == nil
            ? snapshot.policy.scheduleAt(id, expiresAt: snapshot.row.expiresAt, life: snapshot.life(now: now)) : nil
        if dueAt == nil, let usedAt, now - usedAt < snapshot.policy.idleAfter / 8 { return }
        // The answer stands whether or not this is written.
        _ = try? store.noteUse(id, seen: usedAt, dueAt: dueAt)
    }

    /// A token that is bad when it has hardly been minted was ended by somebody who asks the provider past this service.
    private func noteEarlyReport(_ id: SecretID, _ view: View) {
        let row = view.snapshot.row
        let young = max(view.snapshot.policy.gap, .seconds(60))
        guard view.isReporterOfThis, view.snapshot.hasUpstream, row.earlyGeneration != row.generation,
            let mintedAt = row.mintedAt,
            view.assessment.now - mintedAt < young
        else { return }
        _ = try? store.noteEarlyReport(id, generation: row.generation)
    }
}

extension Broker {
    /// One reading of the row, and what follows from it.
    fileprivate struct View {
        let snapshot: Snapshot
        let wish: Wish
        let assessment: Assessment
        let ended: Refresher.Ended?

        enum Next {
            case say(Decision)
            case wait(Duration, orElse: Refusal?)
            case refresh(RefreshReason)
        }

        private var row: TokenRow { snapshot.row }

        var isReporterOfThis: Bool {
            if case .replacement(let reported) = wish { return reported == row.token?.reveal() }
            return false
        }

        private func answer(isStale: Bool = false, isSuppressed: Bool = false) -> Decision? {
            let source: Answer.Source = if case .minted = ended { .upstream } else { .database }
            return Answer(
                row, assessment, policy: snapshot.policy, source: source, isStale: isStale, isSuppressed: isSuppressed
            ).map(Decision.answer)
        }

        /// The stored token where nothing better can be had, unless it is the one that was reported.
        var fallback: Decision? { isReporterOfThis ? nil : answer(isStale: true) }

        /// The stored token where there is no place or time for a refresh now: nothing has failed.
        var unrefreshed: Decision? {
            isReporterOfThis ? nil : answer(isStale: !assessment.isCurrentVersion, isSuppressed: wish == .flush)
        }

        /// The stored token for whoever need not wait for another's routine refresh.
        var atOnce: Decision? {
            let isRoutine = assessment.due == nil || assessment.due == .soft
            let isForced = wish == .flush || isReporterOfThis || row.reason == .report
            return isRoutine && !isForced ? answer() : nil
        }

        var next: Next {
            switch ended {
            case .failed(let failure): return .say(fallback ?? .refuse(.upstream(failure, retryAfter: untilNextTry)))
            case .minted:
                if let settled = afterMint { return .say(settled) }
                // Nothing is gained by asking again at once.
                if hasUnservableLife, assessment.mayMint {
                    return .say(.refuse(.upstream(.shortLived, retryAfter: .seconds(1))))
                }
            case .secretGone: return .say(.refuse(.unknownSecret))
            case .storeFailed(let refusal): return .say(fallback ?? .refuse(refusal))
            case .unservable, .overtaken, .crowded, nil: break
            }
            guard snapshot.hasUpstream else {
                let stored = isReporterOfThis ? nil : answer(isSuppressed: wish == .flush)
                return .say(stored ?? .refuse(.noUpstream))
            }

            if assessment.isActive {
                if let answer = atOnce { return .say(answer) }
                return .wait((row.leaseUntil ?? assessment.now) - assessment.now, orElse: nil)
            }
            guard let due = assessment.due else { return .say(answer() ?? .refuse(.storeBroken("token"))) }
            if assessment.mayMint { return .refresh(due) }

            let untilMint = assessment.mayMintAt - assessment.now
            if assessment.isAlive {
                if isReporterOfThis { return .say(.refuse(heldBack(untilMint))) }
                let isStale =
                    !assessment.isCurrentVersion || (due != .flush && (pausedFailure != nil || assessment.isSpent))
                if let answer = answer(isStale: isStale, isSuppressed: wish == .flush) { return .say(answer) }
            }
            if let pausedFailure, row.retryClass != .transient || untilMint >= Broker.worthWaiting {
                return .say(.refuse(pausedFailure))
            }
            if untilMint < Broker.worthWaiting { return .wait(untilMint, orElse: heldBack(untilMint)) }
            return .say(.refuse(heldBack(untilMint)))
        }

        /// The provider granted less than can be served.
        private var hasUnservableLife: Bool {
            row.expiresAt != nil && snapshot.life(now: assessment.now) < Policy.deadLimit
        }

        private func heldBack(_ untilMint: Duration) -> Refusal {
            if let pausedFailure { return pausedFailure }
            return assessment.isSpent ? .spent(retryAfter: untilMint) : .held(retryAfter: untilMint)
        }

        /// What the caller that paid for a mint gets; nil where the row has moved on since.
        private var afterMint: Decision? {
            if isReporterOfThis { return .refuse(.sameTokenAgain(retryAfter: max(untilNextTry, .seconds(1)))) }
            return answer(isStale: !assessment.isCurrentVersion)
        }

        /// The failure of the pause that holds the next try back.
        private var pausedFailure: Refusal? {
            guard let failure = row.failure, let retryAt = row.retryAt, retryAt > assessment.now,
                row.retryFor == snapshot.version
            else { return nil }
            return .upstream(failure, retryAfter: max(assessment.mayMintAt, retryAt) - assessment.now)
        }

        private var untilNextTry: Duration {
            let lease = assessment.isActive ? row.leaseUntil : nil
            return max(
                [lease, assessment.mayMintAt].compactMap { $0 }.max().map { $0 - assessment.now } ?? .zero, .zero)
        }
    }
}
