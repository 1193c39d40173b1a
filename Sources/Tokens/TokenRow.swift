package import Clocks
package import Log

/// Why a refresh was begun.
package enum RefreshReason: String, Sendable {
    case dead, soft, version, flush, report
}

/// What kind of failure set `retryAt`; a forced refresh passes over `transient` alone.
package enum FailureClass: String, Sendable {
    case configuration, address, quota, transient
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

    /// A row that has never seen a token.
    package init(fence: Int64 = 0) {
        generation = 0
        self.fence = fence
        fails = 0
        doubts = 0
        marks = 0
    }
}

/// What one reading statement gives.
package struct Snapshot: Sendable {
    package var row: TokenRow
    /// The current version of secret and realm.
    package var version: Version
    /// Whether the realm has a recipe or a `logic_code`; without one a stored token is all there is.
    package var hasUpstream: Bool
    /// The database's clock within the statement.
    package var now: Timestamp
    /// This machine's clocks before the statement was sent.
    package var asked: Moment

    package init(row: TokenRow, version: Version, hasUpstream: Bool, now: Timestamp, asked: Moment) {
        self.row = row
        self.version = version
        self.hasUpstream = hasUpstream
        self.now = now
        self.asked = asked
    }
}

package enum Lookup: Sendable {
    case unknownRealm
    case unknownSecret
    case found(Snapshot)
}
