package import Clocks
package import Log

/// Why a refresh was begun.
package enum RefreshReason: String, Sendable {
    case dead, soft, version, flush, report

    /// Whether a caller forced it, and the day's budget pays for it.
    package var isForced: Bool { self == .flush || self == .report }
}

/// What kind of failure set `retryAt`; a forced refresh passes over `transient` alone.
package enum FailureClass: String, Sendable, CaseIterable {
    case configuration, address, quota, transient
    /// The refresh token is used up or revoked: a person must authorise again.
    case reauthorise
}

/// One secret's token and lease as the store holds them.
///
/// Every instant is the database's.
package struct TokenRow: Sendable, Equatable {
    package var token: Redacted<String>?
    /// Nil for a token without expiry, and where there is no token.
    package var expiresAt: Timestamp?
    package var generation: Int64
    /// The look of the call that minted it.
    package var mintedAt: Timestamp?
    package var mintedFor: Version?

    /// Counts the leases; only the newest may write.
    package var fence: Int64
    /// Random for each attempt; nil when released.
    package var holder: String?
    package var takenAt: Timestamp?
    package var leaseUntil: Timestamp?
    package var reason: RefreshReason?

    package var nextMintAt: Timestamp?
    package var retryAt: Timestamp?
    package var retryClass: FailureClass?
    /// The version that failed: another one may try at once, so that a corrected credential is not kept waiting.
    package var retryFor: Version?
    /// The failure that set `retryAt`, in the words that callers are given until then.
    package var failure: UpstreamFailure?
    package var fails: Int64

    /// Mints that may have happened and that the row does not know.
    package var doubts: Int64
    package var diesAt: Timestamp?
    /// Counts the marks, so that a mark is never lost to a commit.
    package var marks: Int64

    /// What was asked of the provider on one of its days.
    package var ledger: Ledger?
    /// When a caller last asked, give or take an eighth of the realm's `idle_after`.
    package var usedAt: Timestamp?
    /// When the schedule looks at this token; nil for never.
    package var dueAt: Timestamp?
    /// Reports in a row of tokens that had hardly been minted, and the generation that was reported last.
    package var earlyReports: Int64
    package var earlyGeneration: Int64?

    /// A row that has never seen a token.
    package init(fence: Int64 = 0) {
        generation = 0
        self.fence = fence
        fails = 0
        doubts = 0
        marks = 0
        earlyReports = 0
    }
}

/// The calls for one secret on one day of its provider.
package struct Ledger: Sendable, Equatable {
    /// The provider's day, counted from 1970.
    package var day: Int64
    /// Upstream calls, those that were never sent given back.
    package var calls: Int64
    /// Those among them that callers forced.
    package var forced: Int64

    package init(day: Int64, calls: Int64, forced: Int64) {
        self.day = day
        self.calls = calls
        self.forced = forced
    }
}

extension TokenRow {
    /// The ledger of the day that `now` lies in.
    package func ledger(on day: Int64) -> Ledger {
        if let ledger, ledger.day == day { return ledger }
        return Ledger(day: day, calls: 0, forced: 0)
    }

    /// Tokens that die young again and again: somebody else asks the provider with these credentials.
    package var isRefreshedElsewhere: Bool {
        earlyReports >= 2 && (earlyGeneration.map { $0 >= generation - 1 } ?? false)
    }
}

/// What one reading statement gives.
package struct Snapshot: Sendable {
    package var row: TokenRow
    /// The current version of secret and realm.
    package var version: Version
    /// Tokens minted for less than this are not served: an administrator discarded them.
    package var validFrom: Version
    /// Whether the realm has a recipe or a `logic_code`; without one a stored token is all there is.
    package var hasUpstream: Bool
    package var policy: Policy
    /// The database's clock within the statement.
    package var now: Timestamp
    /// This machine's clocks before the statement was sent.
    package var asked: Moment

    package init(
        row: TokenRow, version: Version, validFrom: Version = Version(realm: 0, secret: 0), hasUpstream: Bool,
        policy: Policy, now: Timestamp, asked: Moment
    ) {
        self.row = row
        self.version = version
        self.validFrom = validFrom
        self.hasUpstream = hasUpstream
        self.policy = policy
        self.now = now
        self.asked = asked
    }
}

package enum Lookup: Sendable {
    case unknownRealm
    case unknownSecret
    case found(Snapshot)
}
