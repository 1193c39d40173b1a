package import Clocks

/// Who does something, and by which request.
package struct Author: Sendable, Equatable {
    /// `Caller.id`.
    package var caller: String
    package var requestID: String

    package init(caller: String, requestID: String) {
        self.caller = caller
        self.requestID = requestID
    }
}

/// One act that changed something or tried to: an administrator's write, a call to a provider, a flush.
///
/// Reads of tokens are none: they are lines in the log.
package struct AuditEntry: Sendable, Equatable {
    package enum Action: String, Sendable, CaseIterable {
        case writeRealm = "realm.write"
        case deleteRealm = "realm.delete"
        case confirmRealm = "realm.confirm"
        case writeSecret = "secret.write"
        case deleteSecret = "secret.delete"
        case placeToken = "token.place"
        /// A provider was asked for a token.
        case mint = "token.mint"
        case flush = "token.flush"
        case createKey = "key.create"
        case deleteKey = "key.delete"

        /// Entries of one secret's tokens are chained by themselves, so that no secret's refresh waits for another's.
        var isOfOneSecret: Bool {
            switch self {
            case .mint, .flush, .placeToken: true
            default: false
            }
        }
    }

    package var author: Author
    package var action: Action
    /// Nil where it is about no realm.
    package var realm: String?
    package var key: String?
    /// What became of it, in one word or a few: `stored`, `minted`, `suppressed`, `failed: rejected`.
    package var outcome: String
    /// Why, or what more there is to name: the reason of a refresh, the id and role of an API key.
    package var detail: String
    /// The token's, where the act left one.
    package var generation: Int64?

    package init(
        _ author: Author, _ action: Action, realm: String? = nil, key: String? = nil, outcome: String,
        detail: String = "", generation: Int64? = nil
    ) {
        self.author = author
        self.action = action
        self.realm = realm
        self.key = key
        self.outcome = outcome
        self.detail = detail
        self.generation = generation
    }

    /// The chain that the entry belongs to.
    package var chain: AuditChainID {
        guard action.isOfOneSecret, let realm, let key else { return .administration }
        return .secret(SecretID(realm: realm, key: key))
    }
}

/// Entries of one chain follow one another without a gap.
package enum AuditChainID: Hashable, Sendable {
    case administration
    case secret(SecretID)
}

/// An entry as it is stored.
package struct AuditRecord: Sendable, Equatable {
    package var number: Int64
    package var at: Timestamp
    package var entry: AuditEntry

    package init(number: Int64, at: Timestamp, entry: AuditEntry) {
        self.number = number
        self.at = at
        self.entry = entry
    }
}

/// Where an entry was stored: what a log keeps of it, out of reach of who has the database.
package struct AuditReceipt: Sendable, Equatable, CustomStringConvertible {
    package var chain: String
    package var place: Int64
    package var hash: String

    package init(chain: String, place: Int64, hash: String) {
        self.chain = chain
        self.place = place
        self.hash = hash
    }

    package var description: String { "\(chain):\(place):\(hash)" }
}

/// What was removed of the audit for its age.
package struct AuditPruned: Sendable, Equatable {
    /// Entries.
    package var removed: Int
    /// For each chain of which older entries stay, why: the first entry that is not genuine.
    package var obstacles: [String]

    package init(removed: Int = 0, obstacles: [String] = []) {
        self.removed = removed
        self.obstacles = obstacles
    }
}

/// The audit's part of a store.
package protocol AuditStore: AnyObject {
    /// Runs `body`, which writes to the same store, and stores the entry of what it did in the same transaction: both or neither.
    ///
    /// `body` may be run several times. It writes nothing where it answers what is not `isDone`, and then there is no entry.
    func recording<Result>(
        _ entry: AuditEntry, where isDone: (Result) -> Bool, of body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result
    /// What was stored since the last time.
    func takeReceipts() -> [AuditReceipt]
    /// Last first, those in `scope` alone; of one realm, or one secret, where that is asked for.
    func audit(_ page: Page, realm: String?, key: String?, in scope: Scope) throws(StoreError) -> Listing<AuditRecord>
    /// Removes entries that are older than `age`, from the beginning of chains alone and as far as they are genuine, and notes it
    /// under a signature; `limit` at most.
    func pruneAudit(olderThan age: Duration, limit: Int) throws(StoreError) -> AuditPruned
}

extension AuditStore {
    /// Stores the entry of an act that is stored nowhere else.
    package func record(_ entry: AuditEntry) throws(StoreError) {
        try recording(entry, where: { true }, of: {})
    }
}
