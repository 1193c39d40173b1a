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
    /// The credentials of this version, or the refresh token that goes with them, do not open with any of the master keys.
    case quarantined(Version)
}

/// The token row of one secret: the statements of the refresh protocol, each one statement, each done or not.
///
/// Every write is guarded by what was read (`fence`, `generation`, `marks`); false means that somebody else was faster.
package protocol TokenStore: AnyObject {
    /// Reads row, version and the database's clock, and with them, in the one statement, what the key of `keyID` grants.
    ///
    /// `asked` in the snapshot is read from `clock` before the statement is sent. Where there is a `keyID` and no such key,
    /// the lookup says nothing of the secret.
    ///
    /// - Parameter arrival: when the request came that asks. A reading that began later serves it as well as one of its own, and is as
    ///   fresh; it may have come by another's connection. Nil for who must see what it has just written itself.
    func read(_ id: SecretID, keyID: String?, arrival: Moment?, clock: any Clock) throws(StoreError) -> Reading

    /// Reads recipe and credentials; nil when realm or secret are gone.
    func material(_ id: SecretID) throws(StoreError) -> Material?

    func take(_ id: SecretID, _ lease: LeaseRequest) throws(StoreError) -> Bool
    func commit(_ id: SecretID, _ mint: MintRecord) throws(StoreError) -> Bool
    func release(_ id: SecretID, _ release: LeaseRelease) throws(StoreError) -> Bool
    func mark(_ id: SecretID, _ mark: LateMintMark) throws(StoreError) -> Bool

    /// After a call of which nobody knows what it did: counts what the lease did not, and stores a notice. The lease stays.
    func abandon(_ id: SecretID, fence: Int64, extraCalls: Int64, notice: Notice?) throws(StoreError)

    /// `SET used_at = now, due_at = COALESCE(due_at, :dueAt) WHERE used_at IS NULL OR used_at = :seen`: false when another instance has
    /// noted it.
    func noteUse(_ id: SecretID, seen: Timestamp?, dueAt: Timestamp?) throws(StoreError) -> Bool
    /// Counts one report of a token that had hardly been minted, once for each generation.
    func noteEarlyReport(_ id: SecretID, generation: Int64) throws(StoreError) -> Bool

    /// Gives one of the realm's `limit` places for upstream calls to `holder`; nil when all are taken.
    ///
    /// A place whose holder was lost is free again after `length`.
    func enter(_ realm: String, limit: Int, holder: String, length: Duration) throws(StoreError) -> Int?
    func leave(_ realm: String, place: Int, holder: String) throws(StoreError)
}

/// One reading of a secret, and of who asks for it.
package struct Reading {
    /// Nil where no key was asked for, or there is none of that id.
    package let key: KeyReading?
    private let open: () throws(StoreError) -> Lookup

    /// - Parameter open: understands the row; not run for whoever is not let in, so that nobody can tell what it says.
    package init(key: KeyReading?, open: @escaping () throws(StoreError) -> Lookup) {
        self.key = key
        self.open = open
    }

    package init(_ lookup: Lookup, key: KeyReading? = nil) {
        self.init(key: key) { () throws(StoreError) in lookup }
    }

    /// What was read of the secret.
    package func lookup() throws(StoreError) -> Lookup { try open() }
}

extension TokenStore {
    package func read(_ id: SecretID, keyID: String?, clock: any Clock) throws(StoreError) -> Reading {
        try read(id, keyID: keyID, arrival: nil, clock: clock)
    }

    package func read(_ id: SecretID, clock: any Clock) throws(StoreError) -> Lookup {
        try read(id, keyID: nil, clock: clock).lookup()
    }
}

/// `SET doubts, dies_at, fails, fence = fence + 1, holder, reason, taken_at = now, lease_until = now + lease
/// WHERE fence, generation, marks are as read AND (lease_until IS NULL OR lease_until <= now)`.
///
/// The same statement counts the call in the ledger, and notes that a caller asked.
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
    /// The provider's day, for the ledger.
    package var day: Int64
    /// A caller asked, not the schedule.
    package var isUse: Bool

    package init(
        fence: Int64, generation: Int64, marks: Int64, doubts: Int64, diesAt: Timestamp?, fails: Int64, holder: String,
        reason: RefreshReason, lease: Duration, day: Int64, isUse: Bool
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
        self.day = day
        self.isUse = isUse
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
    /// The refresh token that came with the token, and the credential's version it descends from; nil keeps what is stored.
    package var refreshToken: RotatedRefreshToken?
    /// When the schedule looks at this token; nil for never.
    package var dueAt: Timestamp?
    /// Calls beyond the one that the lease counted.
    package var extraCalls: Int64
    /// What to tell the realm's notice URL of it; nil where nobody listens.
    package var notice: Notice?

    package init(
        fence: Int64, generation: Int64, token: Redacted<String>, expiresAt: Timestamp?, look: Timestamp,
        version: Version,
        marksAtLook: Int64, gap: Duration, overlap: Duration?, sameTokenNextMintAt: Timestamp? = nil,
        refreshToken: RotatedRefreshToken? = nil, dueAt: Timestamp? = nil, extraCalls: Int64 = 0,
        notice: Notice? = nil
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
        self.refreshToken = refreshToken
        self.dueAt = dueAt
        self.extraCalls = extraCalls
        self.notice = notice
    }
}

/// A single-use refresh token, stored in the same statement as the token that came with it.
package struct RotatedRefreshToken: Sendable, Equatable {
    package var value: Redacted<String>
    /// `Material.refreshVersion` of the call: an administrator's new refresh token begins another line.
    package var descendsFrom: Int64
    /// `Material.confirmedFor` of the call: what issued it, and all that it may be sent to.
    package var destination: Destination?

    package init(value: Redacted<String>, from material: Material) {
        self.value = value
        descendsFrom = material.refreshVersion
        destination = material.confirmedFor
    }
}

/// What a realm's notice URL is told: a new generation, or a refresh that failed.
///
/// It is stored with what it tells of, and sent by the schedule.
package struct Notice: Sendable, Equatable {
    package enum Event: String, Sendable {
        case token, failure
    }

    package var event: Event
    /// The generation that is stored from now on, or that a failure left as it was.
    package var generation: Int64
    /// The failure in words; nil for a token.
    package var failure: UpstreamFailure?

    package init(_ event: Event, generation: Int64, failure: UpstreamFailure? = nil) {
        self.event = event
        self.generation = generation
        self.failure = failure
    }
}

/// `SET holder, reason, taken_at, lease_until = NULL, fails, retry_at = now + pause, retry_class, retry_for, failure
/// WHERE fence = :f AND lease_until IS NOT NULL`.
///
/// Without a pause (the holder stopped itself before sending) everything but the lease stays, and the ledger gets its call back.
package struct LeaseRelease: Sendable {
    package var fence: Int64
    /// Failures of one kind in a row, this one included.
    package var fails: Int64
    package var pause: Pause?
    /// Calls beyond the one that the lease counted; −1 where not even that was sent.
    package var extraCalls: Int64
    /// What to tell the realm's notice URL of it; nil where nobody listens.
    package var notice: Notice?

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

    package init(fence: Int64, fails: Int64, pause: Pause?, extraCalls: Int64 = 0, notice: Notice? = nil) {
        self.fence = fence
        self.fails = fails
        self.pause = pause
        self.extraCalls = extraCalls
        self.notice = notice
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
    ///
    /// Realms that the scope does not touch are neither listed nor counted.
    func realms(_ page: Page, keyword: String?, in scope: Scope) throws(StoreError) -> Listing<Realm>
    func realm(_ id: String) throws(StoreError) -> Realm?
    /// Creates or updates; answers what is stored. A change of `config` or `logicCode` makes a new version.
    func write(_ id: String, _ change: RealmChange) throws(StoreError) -> Realm
    func deleteRealm(_ id: String) throws(StoreError) -> RealmDeletion
    /// How many of the realm's secrets may not be sent to the destination.
    func unconfirmedSecrets(of id: String, _ destination: Destination) throws(StoreError) -> Int
    /// Binds every secret of the realm to the destination; answers how many were not, and makes a new version of the
    /// recipe if any might not go there, so that nobody waits out the pause of a call that was refused.
    func confirmSecrets(of id: String, _ destination: Destination) throws(StoreError) -> Int
    /// What the realm's secrets asked of the provider on its present day.
    func usage(of id: String, _ policy: Policy) throws(StoreError) -> RealmUsage
}

/// Upstream calls of one day.
package struct RealmUsage: Sendable, Equatable {
    package var calls: Int64
    package var forced: Int64
    /// Of the secret that asked most.
    package var mostCalls: Int64
    /// When the provider's day ends.
    package var until: Timestamp

    package init(calls: Int64, forced: Int64, mostCalls: Int64, until: Timestamp) {
        self.calls = calls
        self.forced = forced
        self.mostCalls = mostCalls
        self.until = until
    }
}

package enum RealmDeletion: Sendable {
    case deleted, unknown, hasSecrets
}

/// Secrets as administrators see them; values go in and never come out here.
package protocol SecretStore: AnyObject {
    /// Last updated first; secrets outside the scope are neither listed nor counted.
    func secrets(_ page: Page, realm: String?, in scope: Scope) throws(StoreError) -> Listing<Secret>
    func secret(_ id: SecretID) throws(StoreError) -> Secret?
    /// Creates or updates; nil when the realm is unknown. What is not named stays, `.clear` removes a credential.
    /// A change of any credential makes a new version; `discardsToken` makes one too, and ends what was minted for those before.
    ///
    /// Where every stored credential is entered again, or the secret is new, it is confirmed for `destination`; a write of some of
    /// them confirms nothing, but binds what was bound to nothing or to an origin alone. Without a destination nothing is written down,
    /// as by a version that kept none.
    func write(
        _ id: SecretID, _ changes: [String: Change<Redacted<String>>], discardsToken: Bool, destination: Destination?
    ) throws(StoreError) -> Secret?
    /// Stores a token that an administrator brings; nil where the secret is unknown.
    func placeToken(_ id: SecretID, _ token: PlacedToken) throws(StoreError) -> TokenPlacement?
    /// False when there was none.
    func deleteSecret(_ id: SecretID) throws(StoreError) -> Bool
}

/// A token that nobody fetched.
package struct PlacedToken: Sendable {
    /// When it dies.
    package enum Expiry: Sendable, Equatable {
        case never
        /// From now on, by the database's clock.
        case after(Duration)
        case at(Timestamp)
    }

    package var token: Redacted<String>
    package var expiry: Expiry

    package init(token: Redacted<String>, expiry: Expiry) {
        self.token = token
        self.expiry = expiry
    }
}

package enum TokenPlacement: Sendable, Equatable {
    case placed
    /// The realm fetches its tokens itself.
    case hasUpstream
}

/// Whether the store can serve, for `/readyz`.
package protocol StoreProbe: AnyObject {
    /// The database's clock, and whether every migration that this build needs has been run.
    func probe() throws(StoreError) -> (now: Timestamp, isMigrated: Bool)
    /// How the stored secrets stand to the master keys.
    func probeKeys() throws(StoreError) -> KeyHealth
}

/// Whether stored secrets can be opened.
package struct KeyHealth: Sendable, Equatable {
    /// Something can be sealed and opened at all.
    package var isWorking: Bool
    /// Secrets that were sealed with a key which is here.
    package var known: Int
    /// Secrets that were sealed with keys which are not here, and the ids of those.
    package var unknown: Int
    package var unknownIDs: [String]
    /// Secrets whose key is here and that did not open when they were needed.
    package var quarantined: Int

    package init(
        isWorking: Bool = true, known: Int = 0, unknown: Int = 0, unknownIDs: [String] = [], quarantined: Int = 0
    ) {
        self.isWorking = isWorking
        self.known = known
        self.unknown = unknown
        self.unknownIDs = unknownIDs
        self.quarantined = quarantined
    }
}

extension RealmStore {
    package func realms(_ page: Page, keyword: String?) throws(StoreError) -> Listing<Realm> {
        try realms(page, keyword: keyword, in: .everything)
    }
}

extension SecretStore {
    package func secrets(_ page: Page, realm: String?) throws(StoreError) -> Listing<Secret> {
        try secrets(page, realm: realm, in: .everything)
    }

    package func write(
        _ id: SecretID, _ changes: [String: Change<Redacted<String>>], discardsToken: Bool = false
    ) throws(StoreError) -> Secret? {
        try write(id, changes, discardsToken: discardsToken, destination: nil)
    }
}
