package import Clocks
internal import Log

/// What is wanted of a secret's token.
package enum Wish: Sendable, Equatable {
    /// The token, with at least this much left where the provider can give it.
    case token(minimumLife: Duration?)
    /// A new token, whatever is stored.
    case flush
    /// This token does not work: another one.
    case replacement(of: String)
    /// The schedule's: whatever is due, before a caller meets it.
    case upkeep
}

/// The four states of a token by what is left of it.
package enum TokenState: String, Sendable {
    case fresh, soft, hard, dead
}

/// What a row means at one instant: arithmetic alone (the refresh protocol's "what a reader decides").
package struct Assessment: Sendable, Equatable {
    /// The instant all this is about, by the database's clock.
    package let now: Timestamp
    /// When the stored token must be taken for dead; nil for one that does not die.
    package let diesAt: Timestamp?
    package let state: TokenState
    /// Somebody holds the lease.
    package let isActive: Bool
    /// Why a refresh is wanted; nil where none is.
    package let due: RefreshReason?
    /// A mint may have happened that the row does not know.
    package let isInDoubt: Bool
    /// Nobody may mint for that reason before.
    package let mayMintAt: Timestamp
    /// What holds the mint back is that the day's calls are used up.
    package let isSpent: Bool
    /// The token belongs to the current recipe and credentials.
    package let isCurrentVersion: Bool

    /// There is a token that may be served, and at least 2 s of it are left.
    package var isAlive: Bool { state != .dead }
    package var mayMint: Bool { mayMintAt <= now }

    /// - Parameter passesBudget: who asks may force a refresh although the day's budget for that is used up.
    package init(_ snapshot: Snapshot, wish: Wish, now: Timestamp, passesBudget: Bool = false) {
        let row = snapshot.row
        let policy = snapshot.policy
        self.now = now

        let isHeld = row.leaseUntil != nil
        var diesAt = [row.expiresAt, row.diesAt].compactMap { $0 }.min()
        if let overlap = policy.overlap, isHeld, let takenAt = row.takenAt {
            let clamp = row.doubts == 0 ? takenAt + overlap : takenAt
            diesAt = min(diesAt ?? clamp, clamp)
        }
        self.diesAt = diesAt
        // Where nothing is minted, what is stored is all there will be.
        isCurrentVersion = row.token == nil || !snapshot.hasUpstream || row.mintedFor == snapshot.version
        let state = Assessment.state(snapshot, diesAt: diesAt, now: now)
        self.state = state

        isActive = row.leaseUntil.map { $0 > now } ?? false
        let hasLostLease = isHeld && !isActive
        let isHeldInDoubt = row.token != nil && policy.overlap != nil && (row.doubts > 0 || hasLostLease)
        // Nobody is promised anything of a token that an administrator discarded.
        isInDoubt = isHeldInDoubt && !snapshot.isDiscarded

        let times = Times(
            snapshot, diesAt: diesAt, hasLostLease: hasLostLease, isInDoubt: isInDoubt, now: now,
            passesBudget: passesBudget)
        let reasons = Assessment.reasons(snapshot, wish: wish, now: now, state: state)
        // A forced refresh that must wait does not keep a routine one waiting.
        let due = reasons.first { times.mayMintAt($0, isAlive: state != .dead) <= now } ?? reasons.first
        self.due = due
        let mayMintAt = times.mayMintAt(due, isAlive: state != .dead)
        self.mayMintAt = mayMintAt
        isSpent = times.spent(due) == mayMintAt
    }

    private static func state(_ snapshot: Snapshot, diesAt: Timestamp?, now: Timestamp) -> TokenState {
        guard snapshot.row.token != nil, !snapshot.isDiscarded else { return .dead }
        guard let diesAt else { return .fresh }
        if diesAt - now < Policy.deadLimit { return .dead }
        // Soft and hard go by what was granted: in doubt the end comes nearer, and an earlier mint would not help.
        guard let expiresAt = snapshot.row.expiresAt else { return .fresh }
        let life = snapshot.life(now: now)
        if expiresAt - now > snapshot.policy.softMargin(life: life) { return .fresh }
        return expiresAt - now > snapshot.policy.hardMargin(life: life) ? .soft : .hard
    }

    /// Every reason for a refresh, the most pressing first.
    private static func reasons(
        _ snapshot: Snapshot, wish: Wish, now: Timestamp, state: TokenState
    ) -> [RefreshReason] {
        let row = snapshot.row
        guard snapshot.hasUpstream else { return [] }
        if state == .dead { return [.dead] }
        var reasons: [RefreshReason] = []
        switch wish {
        case .replacement(let reported) where reported == row.token?.reveal(): reasons.append(.report)
        case .flush: reasons.append(.flush)
        default: break
        }
        // A caller's wish comes before it: an unforced call may give the very token that is not wanted.
        if row.mintedFor != snapshot.version { reasons.append(.version) }
        if isSoft(snapshot, wish: wish, now: now, state: state) { reasons.append(.soft) }
        return reasons
    }

    private static func isSoft(_ snapshot: Snapshot, wish: Wish, now: Timestamp, state: TokenState) -> Bool {
        if state != .fresh { return true }
        guard let expiresAt = snapshot.row.expiresAt else { return false }
        switch wish {
        case .token(let minimumLife?):
            let life = snapshot.life(now: now)
            return expiresAt - now <= snapshot.policy.softMargin(life: life, wishing: minimumLife)
        case .upkeep: return snapshot.row.dueAt.map { $0 <= now } ?? false
        default: return false
        }
    }
}

extension Assessment {
    /// When which mint is allowed.
    private struct Times {
        private let row: TokenRow
        private let policy: Policy
        private let isInDoubt: Bool
        private let isDiscarded: Bool
        private let now: Timestamp
        private let passesBudget: Bool
        private let diesAt: Timestamp?
        private let retryAt: Timestamp?
        private let lostLeaseEnd: Timestamp?

        init(
            _ snapshot: Snapshot, diesAt: Timestamp?, hasLostLease: Bool, isInDoubt: Bool, now: Timestamp,
            passesBudget: Bool
        ) {
            row = snapshot.row
            policy = snapshot.policy
            self.isInDoubt = isInDoubt
            isDiscarded = snapshot.isDiscarded
            self.now = now
            self.passesBudget = passesBudget
            self.diesAt = diesAt
            // A pause holds for the version that failed.
            retryAt = row.retryFor == snapshot.version ? row.retryAt : nil
            let fails = snapshot.row.fails
            lostLeaseEnd = hasLostLease ? snapshot.row.leaseUntil.map { $0 + Backoff.afterLostLeases(fails) } : nil
        }

        func mayMintAt(_ reason: RefreshReason?, isAlive: Bool) -> Timestamp {
            var times = [lostLeaseEnd, spent(reason)]
            if isInDoubt {
                times += [diesAt, retryAt]
            } else if !isAlive {
                times.append(retryAt)
                // The provider gave the dying token again: it has no other before that one's end, but perhaps for what is new.
                if row.token != nil, !isDiscarded, row.nextMintAt == row.expiresAt { times.append(row.nextMintAt) }
            } else {
                times.append(row.nextMintAt)
                // A pause that may be over any second does not stop somebody who knows that the token is bad.
                if reason?.isForced != true || row.retryClass != .transient { times.append(retryAt) }
            }
            return times.compactMap { $0 }.max() ?? now
        }

        /// The provider's midnight where the day's calls, or those that may be forced, are used up.
        func spent(_ reason: RefreshReason?) -> Timestamp? {
            let today = row.ledger(on: policy.day(at: now))
            var isSpent = policy.quota.map { today.calls >= $0 } ?? false
            // What the provider allows in a day binds everybody.
            if reason?.isForced == true, !passesBudget {
                isSpent = isSpent || today.forced >= policy.flushBudget
                if let quota = policy.quota { isSpent = isSpent || today.calls >= quota - policy.quotaReserve }
            }
            return isSpent ? policy.midnight(after: now) : nil
        }
    }
}

extension Snapshot {
    /// An administrator said that tokens of this version are not to be served any more.
    package var isDiscarded: Bool {
        guard let mintedFor = row.mintedFor else { return false }
        return mintedFor.realm < validFrom.realm || mintedFor.secret < validFrom.secret
    }

    /// The whole life that the stored token was granted.
    func life(now: Timestamp) -> Duration {
        row.expiresAt.map { $0 - (row.mintedAt ?? now) } ?? .zero
    }
}
