package import Clocks
internal import Log

/// Decides what a caller gets: the stored token, a new one, a failure, or a time to wait.
///
/// One value belongs to one worker. It keeps nothing between calls: everything that several instances must agree on is in
/// the row, and everything here follows the refresh protocol (`docs/architecture.md`).
package final class Broker {
    private let store: any TokenStore
    private let clock: any Clock
    private let refresher: Refresher

    /// Longest time to look again before a lease ends.
    private static let longestPoll = Duration.milliseconds(200)
    /// A wait that is shorter than this is worth it when there is nothing to serve.
    private static let worthWaiting = Duration.seconds(5)
    /// Where the platform sets no deadline.
    private static let longestWait = Duration.seconds(15)

    package init(
        store: any TokenStore, upstream: any Upstream, clock: any Clock,
        random: any RandomNumberGenerator = SystemRandomNumberGenerator()
    ) {
        self.store = store
        self.clock = clock
        refresher = Refresher(store: store, upstream: upstream, clock: clock, random: random)
    }

    /// - Parameters:
    ///   - deadline: by which the answer must be on its way; nil where nothing sets one.
    ///   - patience: what the last `.wait` for this caller handed over.
    package func decide(
        _ id: SecretID, wish: Wish, policy: Policy = .undeclared, deadline: Moment?, resuming patience: Patience? = nil
    ) -> Decision {
        var wish = wish
        var patience = patience
        var ended: Refresher.Ended?
        // Every turn but the last ends in a refresh or in a row that somebody changed meanwhile.
        for _ in 0..<8 {
            if let deadline, clock.now().timeLeft(until: deadline) <= .zero { break }
            let snapshot: Snapshot
            switch read(id) {
            case .success(.found(let found)): snapshot = found
            case .success(.unknownRealm): return .refuse(.unknownRealm)
            case .success(.unknownSecret): return .refuse(.unknownSecret)
            case .failure(let refusal): return .refuse(refusal)
            }
            let elapsed = snapshot.asked.elapsed(to: clock.now())
            // An answer that was long under way may speak of a token that is no more.
            if elapsed > .seconds(1) { continue }

            let waiting = patience ?? Patience(seen: .init(snapshot.row), since: snapshot.asked, attempts: 0)
            patience = waiting
            if wish == .flush, waiting.seen != .init(snapshot.row) { wish = .token(minimumLife: nil) }

            let view = View(
                snapshot: snapshot, wish: wish, policy: policy,
                assessment: Assessment(snapshot, wish: wish, policy: policy, now: snapshot.now + elapsed), ended: ended)
            switch view.next {
            case .say(let decision): return decision
            case .wait(let time): return wait(time, waiting, deadline: deadline, view)
            case .refresh(let reason):
                guard let timeout = upstreamTimeout(policy, deadline: deadline) else {
                    return view.fallback ?? .refuse(.busy(retryAfter: .seconds(1)))
                }
                ended = refresher.refresh(
                    id, snapshot: snapshot, assessment: view.assessment, reason: reason, policy: policy,
                    timeout: timeout)
            }
        }
        return .refuse(.busy(retryAfter: .seconds(1)))
    }

    private func read(_ id: SecretID) -> Result<Lookup, Refusal> {
        do {
            return .success(try store.read(id, clock: clock))
        } catch .broken(let what) {
            return .failure(.storeBroken(what))
        } catch {
            return .failure(.storeUnavailable)
        }
    }

    /// How long an upstream call may take so that its answer can still be stored and sent; nil where that is too little.
    private func upstreamTimeout(_ policy: Policy, deadline: Moment?) -> Duration? {
        guard let deadline else { return policy.timeout }
        let left = clock.now().timeLeft(until: deadline) - .milliseconds(500)
        return left < .seconds(1) ? nil : min(policy.timeout, left)
    }

    private func wait(_ time: Duration, _ patience: Patience, deadline: Moment?, _ view: View) -> Decision {
        let now = clock.now()
        let limit = deadline ?? patience.since + Broker.longestWait
        // Look again at 50, 100, 200 ms, so that whoever waits learns soon that the holder is done.
        let poll = min(.milliseconds(50) * (1 << min(patience.attempts, 2)), Broker.longestPoll)
        let delay = max(.milliseconds(1), min(time, poll))
        if delay + .milliseconds(300) > now.timeLeft(until: limit) {
            return .refuse(.busy(retryAfter: max(time, .seconds(1))))
        }
        var patience = patience
        patience.attempts += 1
        return .wait(delay: delay, patience: patience)
    }
}

extension Broker {
    /// One reading of the row, and what follows from it.
    fileprivate struct View {
        let snapshot: Snapshot
        let wish: Wish
        let policy: Policy
        let assessment: Assessment
        let ended: Refresher.Ended?

        enum Next {
            case say(Decision)
            case wait(Duration)
            case refresh(RefreshReason)
        }

        private var row: TokenRow { snapshot.row }

        private var isReporterOfThis: Bool {
            if case .replacement(let reported) = wish { return reported == row.token?.reveal() }
            return false
        }

        private func answer(isStale: Bool = false, isSuppressed: Bool = false) -> Decision? {
            let source: Answer.Source = if case .minted = ended { .upstream } else { .database }
            return Answer(
                row, assessment, policy: policy, source: source, isStale: isStale, isSuppressed: isSuppressed
            ).map(Decision.answer)
        }

        /// The stored token where nothing better can be had, unless it is the one that was reported.
        var fallback: Decision? { isReporterOfThis ? nil : answer(isStale: true) }

        var next: Next {
            switch ended {
            case .failed(let failure): return .say(fallback ?? .refuse(.upstream(failure, retryAfter: untilNextTry)))
            case .minted: if let settled = afterMint { return .say(settled) }
            case .secretGone: return .say(.refuse(.unknownSecret))
            case .storeFailed(let refusal): return .say(fallback ?? .refuse(refusal))
            case .overtaken, nil: break
            }
            guard snapshot.hasUpstream else { return .say(answer() ?? .refuse(.noUpstream)) }

            if assessment.isActive {
                let isRoutine = assessment.due == nil || assessment.due == .soft
                if assessment.isAlive, isRoutine, row.reason != .report, let answer = answer() { return .say(answer) }
                return .wait((row.leaseUntil ?? assessment.now) - assessment.now)
            }
            guard let due = assessment.due else { return .say(answer() ?? .refuse(.storeBroken("token"))) }
            if assessment.mayMint { return .refresh(due) }

            let untilMint = assessment.mayMintAt - assessment.now
            if assessment.isAlive {
                if isReporterOfThis { return .say(.refuse(pausedFailure ?? .held(retryAfter: untilMint))) }
                let isStale = due == .version || (due != .flush && pausedFailure != nil)
                if let answer = answer(isStale: isStale, isSuppressed: wish == .flush) { return .say(answer) }
            }
            if let pausedFailure, row.retryClass != .transient || untilMint >= Broker.worthWaiting {
                return .say(.refuse(pausedFailure))
            }
            if untilMint < Broker.worthWaiting { return .wait(untilMint) }
            return .say(.refuse(.held(retryAfter: untilMint)))
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
