package import Clocks
package import Log

/// Why a store could not do what it was asked.
package enum StoreError: Error, Sendable, Equatable {
    /// The database is away; nothing was written.
    case unavailable
    /// The connection broke under the statement; it may have been done.
    case uncertain
    /// The database answered what it should not: a missing table, a value of another type. The text names no value.
    case broken(String)
}

/// The token row of one secret: the statements of the refresh protocol, each one statement, each done or not.
///
/// Every write is guarded by what was read (`fence`, `generation`, `marks`); false means that somebody else was faster.
package protocol TokenStore: AnyObject {
    /// Reads row, version and the database's clock. `asked` in the snapshot is read from `clock` before the statement is sent.
    func read(_ id: SecretID, clock: any Clock) throws(StoreError) -> Lookup

    /// Reads recipe and credentials; nil when realm or secret are gone.
    func material(_ id: SecretID) throws(StoreError) -> Material?

    func take(_ id: SecretID, _ lease: LeaseRequest) throws(StoreError) -> Bool
    func commit(_ id: SecretID, _ mint: MintRecord) throws(StoreError) -> Bool
    func release(_ id: SecretID, _ release: LeaseRelease) throws(StoreError) -> Bool
    func mark(_ id: SecretID, _ mark: LateMintMark) throws(StoreError) -> Bool
}

/// `SET doubts, dies_at, fails, fence = fence + 1, holder, reason, taken_at = now, lease_until = now + lease
/// WHERE fence, generation, marks are as read AND (lease_until IS NULL OR lease_until <= now)`.
package struct LeaseRequest: Sendable {
    package var fence: Int64
    package var generation: Int64
    package var marks: Int64
    package var doubts: Int64
    package var diesAt: Timestamp?
    package var fails: Int64
    package var holder: String
    package var reason: RefreshReason
    package var lease: Duration

    package init(
        fence: Int64, generation: Int64, marks: Int64, doubts: Int64, diesAt: Timestamp?, fails: Int64, holder: String,
        reason: RefreshReason, lease: Duration
    ) {
        self.fence = fence
        self.generation = generation
        self.marks = marks
        self.doubts = doubts
        self.diesAt = diesAt
        self.fails = fails
        self.holder = holder
        self.reason = reason
        self.lease = lease
    }
}

/// The commit of the refresh protocol (statement 3), guarded by `fence` (the holder's own) and `generation`.
package struct MintRecord: Sendable {
    package var fence: Int64
    package var generation: Int64
    package var token: Redacted<String>
    /// Nil for a token without expiry.
    package var expiresAt: Timestamp?
    /// The database's clock at the look before the call.
    package var look: Timestamp
    /// What the request was built with, whatever is current by now.
    package var version: Version
    package var marksAtLook: Int64
    /// Least time until a mint may follow that would kill what is stored now.
    package var gap: Duration
    /// How long the previous token lives on after a mint; nil where a mint kills nothing.
    package var overlap: Duration?
    /// The provider gave the stored token again: `generation` stays, and `nextMintAt` is this instant.
    package var sameTokenNextMintAt: Timestamp?

    package init(
        fence: Int64, generation: Int64, token: Redacted<String>, expiresAt: Timestamp?, look: Timestamp,
        version: Version,
        marksAtLook: Int64, gap: Duration, overlap: Duration?, sameTokenNextMintAt: Timestamp? = nil
    ) {
        self.fence = fence
        self.generation = generation
        self.token = token
        self.expiresAt = expiresAt
        self.look = look
        self.version = version
        self.marksAtLook = marksAtLook
        self.gap = gap
        self.overlap = overlap
        self.sameTokenNextMintAt = sameTokenNextMintAt
    }
}

/// `SET holder, reason, taken_at, lease_until = NULL, retry_at = now + pause, retry_class, retry_for, failure, fails = fails + 1
/// WHERE fence = :f AND lease_until IS NOT NULL`.
///
/// Without a pause (the holder stopped itself before sending) everything but the lease stays.
package struct LeaseRelease: Sendable {
    package var fence: Int64
    package var pause: Pause?

    /// A failure, and how long nobody shall try again with the version that failed.
    package struct Pause: Sendable {
        package var length: Duration
        package var failure: UpstreamFailure
        package var version: Version

        package init(length: Duration, failure: UpstreamFailure, version: Version) {
            self.length = length
            self.failure = failure
            self.version = version
        }
    }

    package init(fence: Int64, pause: Pause?) {
        self.fence = fence
        self.pause = pause
    }
}

/// `SET dies_at = :d, doubts = doubts + 1, marks = marks + 1 WHERE fence <> :mine AND marks = :m AND minted_at < :before`.
package struct LateMintMark: Sendable {
    package var mine: Int64
    package var marks: Int64
    package var mintedBefore: Timestamp
    package var diesAt: Timestamp

    package init(mine: Int64, marks: Int64, mintedBefore: Timestamp, diesAt: Timestamp) {
        self.mine = mine
        self.marks = marks
        self.mintedBefore = mintedBefore
        self.diesAt = diesAt
    }
}

/// Realms as administrators see them.
package protocol RealmStore: AnyObject {
    /// Last updated first; `keyword` is found in `id` and `comment`, its wildcards taken literally.
    func realms(_ page: Page, keyword: String?) throws(StoreError) -> Listing<Realm>
    func realm(_ id: String) throws(StoreError) -> Realm?
    /// Creates or updates; answers what is stored. A change of `config` or `logicCode` makes a new version.
    func write(_ id: String, _ change: RealmChange) throws(StoreError) -> Realm
    func deleteRealm(_ id: String) throws(StoreError) -> RealmDeletion
}

package enum RealmDeletion: Sendable {
    case deleted, unknown, hasSecrets
}

/// Secrets as administrators see them; values go in and never come out here.
package protocol SecretStore: AnyObject {
    /// Last updated first.
    func secrets(_ page: Page, realm: String?) throws(StoreError) -> Listing<Secret>
    func secret(_ id: SecretID) throws(StoreError) -> Secret?
    /// Creates or updates; nil when the realm is unknown. What is not named stays, `.clear` removes a credential.
    /// A change of any credential makes a new version.
    func write(_ id: SecretID, _ changes: [String: Change<Redacted<String>>]) throws(StoreError) -> Secret?
    /// False when there was none.
    func deleteSecret(_ id: SecretID) throws(StoreError) -> Bool
}

/// Whether the store can serve, for `/readyz`.
package protocol StoreProbe: AnyObject {
    /// The database's clock, and whether every migration that this build needs has been run.
    func probe() throws(StoreError) -> (now: Timestamp, isMigrated: Bool)
}
