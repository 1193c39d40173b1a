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
}

/// What a row means at one instant: arithmetic alone (the refresh protocol's "what a reader decides").
package struct Assessment: Sendable, Equatable {
    /// The instant all this is about, by the database's clock.
    package let now: Timestamp
    /// When the stored token must be taken for dead; nil for one that does not die.
    package let diesAt: Timestamp?
    /// There is a token and at least 2 s of it are left.
    package let isAlive: Bool
    /// Somebody holds the lease.
    package let isActive: Bool
    /// Why a refresh is wanted; nil where none is.
    package let due: RefreshReason?
    /// A mint may have happened that the row does not know.
    package let isInDoubt: Bool
    /// Nobody may mint before.
    package let mayMintAt: Timestamp
    /// The token belongs to the current recipe and credentials.
    package let isCurrentVersion: Bool

    package init(_ snapshot: Snapshot, wish: Wish, policy: Policy, now: Timestamp) {
        let row = snapshot.row
        let kills = policy.overlap != nil
        self.now = now

        var diesAt = [row.expiresAt, row.diesAt].compactMap { $0 }.min()
        if let overlap = policy.overlap, row.leaseUntil != nil, let takenAt = row.takenAt {
            let clamp = row.doubts == 0 ? takenAt + overlap : takenAt
            diesAt = min(diesAt ?? clamp, clamp)
        }
        self.diesAt = diesAt
        let isAlive = row.token != nil && (diesAt.map { $0 - now >= Policy.deadLimit } ?? true)
        self.isAlive = isAlive

        let isActive = row.leaseUntil.map { $0 > now } ?? false
        self.isActive = isActive
        let hasLostLease = row.leaseUntil != nil && !isActive
        isInDoubt = kills && row.token != nil && (row.doubts > 0 || hasLostLease)
        isCurrentVersion = row.token == nil || row.mintedFor == snapshot.version

        let due = Assessment.due(snapshot, wish: wish, policy: policy, now: now, isAlive: isAlive)
        self.due = due

        // A pause holds for the version that failed.
        let retryAt = row.retryFor == snapshot.version ? row.retryAt : nil
        var mayMintAt: [Timestamp?] = []
        if isInDoubt {
            mayMintAt = [diesAt, retryAt]
        } else if !isAlive {
            mayMintAt = [retryAt]
        } else {
            mayMintAt = [row.nextMintAt]
            let isForced = due == .flush || due == .report
            if !isForced || row.retryClass != .transient { mayMintAt.append(retryAt) }
        }
        if hasLostLease, let leaseUntil = row.leaseUntil {
            mayMintAt.append(leaseUntil + Backoff.afterLostLeases(row.fails))
        }
        self.mayMintAt = mayMintAt.compactMap { $0 }.max() ?? now
    }

    package var mayMint: Bool { mayMintAt <= now }

    private static func due(
        _ snapshot: Snapshot, wish: Wish, policy: Policy, now: Timestamp, isAlive: Bool
    ) -> RefreshReason? {
        let row = snapshot.row
        guard snapshot.hasUpstream else { return nil }
        guard isAlive else { return .dead }
        if row.mintedFor != snapshot.version { return .version }
        switch wish {
        case .replacement(let reported) where reported == row.token?.reveal(): return .report
        case .flush: return .flush
        default: break
        }
        guard let expiresAt = row.expiresAt else { return nil }
        var soft = policy.softMargin(life: expiresAt - (row.mintedAt ?? now))
        // Where a mint kills, a caller's wish for a longer life must not bring forward what kills other callers' tokens.
        if policy.overlap == nil, case .token(let minimumLife?) = wish { soft = max(soft, minimumLife) }
        return expiresAt - now <= soft ? .soft : nil
    }
}
