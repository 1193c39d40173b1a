package import Clocks

/// What a stored API key lets its holder do: all that a request needs of it.
package struct KeyGrant: Sendable, Equatable {
    /// The public part of the key, under which it is found.
    package var id: String
    /// SHA-256 of the whole key.
    package var digest: [UInt8]
    package var role: Role
    package var scope: Scope
    /// Addresses and ranges that it may be used from, as they were given; empty for any.
    package var addresses: [String]
    /// Nil for never.
    package var expiresAt: Timestamp?
    /// When it was used, give or take an hour and what an instance has not written yet; nil for not yet.
    package var usedAt: Timestamp?

    package init(
        id: String, digest: [UInt8], role: Role, scope: Scope = .everything, addresses: [String] = [],
        expiresAt: Timestamp? = nil, usedAt: Timestamp? = nil
    ) {
        self.id = id
        self.digest = digest
        self.role = role
        self.scope = scope
        self.addresses = addresses
        self.expiresAt = expiresAt
        self.usedAt = usedAt
    }
}

/// A grant as one statement reads it.
package struct KeyReading: Sendable, Equatable {
    package var grant: KeyGrant
    /// The database's clock within the statement.
    package var now: Timestamp

    package init(grant: KeyGrant, now: Timestamp) {
        self.grant = grant
        self.now = now
    }
}

/// An API key as administrators see it; the key itself is stored nowhere.
package struct APIKey: Sendable, Equatable {
    package var grant: KeyGrant
    package var comment: String
    package var createdAt: Timestamp
    /// `Caller.id` of who made it.
    package var createdBy: String
    /// The stored row is not as it was made: it opens nothing.
    package var isQuarantined = false

    package init(grant: KeyGrant, comment: String, createdAt: Timestamp, createdBy: String) {
        self.grant = grant
        self.comment = comment
        self.createdAt = createdAt
        self.createdBy = createdBy
    }
}

/// The API keys.
package protocol KeyStore: AnyObject {
    /// What the key of that id grants, with the database's clock; nil where its row is not as it was made.
    func grant(_ id: String) throws(StoreError) -> KeyReading?
    /// The digests of the keys that have not expired, at most so many, those of the last created first.
    func digests(_ limit: Int) throws(StoreError) -> [[UInt8]]
    /// Last created first.
    func keys(_ page: Page) throws(StoreError) -> Listing<APIKey>
    func key(_ id: String) throws(StoreError) -> APIKey?
    /// Stores a new key; nil where it would have expired already, by the database's clock.
    func create(_ grant: KeyGrant, comment: String, by creator: String) throws(StoreError) -> APIKey?
    /// False when there was none.
    func deleteKey(_ id: String) throws(StoreError) -> Bool
    /// Notes that a key was used, unless somebody has noted a later use.
    func noteUse(ofKey id: String, at instant: Timestamp) throws(StoreError)
}
