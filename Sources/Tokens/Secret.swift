package import Clocks
package import Log

/// Where a secret is found: a realm and a key within it, compared byte by byte.
package struct SecretID: Hashable, Sendable {
    package let realm: String
    package let key: String

    package init(realm: String, key: String) {
        self.realm = realm
        self.key = key
    }

    package static func == (left: SecretID, right: SecretID) -> Bool {
        left.realm.utf8.elementsEqual(right.realm.utf8) && left.key.utf8.elementsEqual(right.key.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        for byte in realm.utf8 { hasher.combine(byte) }
        hasher.combine(UInt8(0))
        for byte in key.utf8 { hasher.combine(byte) }
    }
}

/// Which recipe and which credentials a token belongs to; each counts up when its side changes.
package struct Version: Hashable, Sendable {
    package var realm: Int64
    package var secret: Int64

    package init(realm: Int64, secret: Int64) {
        self.realm = realm
        self.secret = secret
    }
}

/// A secret as lists and answers show it: the names of its credentials, never a value.
package struct Secret: Sendable, Equatable {
    package var id: SecretID
    package var credentialNames: [String]
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
    /// What the credentials may be sent to; nil as in `Material`.
    package var confirmedFor: Destination?
    /// The stored credentials do not open, not even their names: they have to be entered again.
    package var isQuarantined = false

    package init(id: SecretID, credentialNames: [String], createdAt: Timestamp, updatedAt: Timestamp) {
        self.id = id
        self.credentialNames = credentialNames
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// What a fetch is made of: the recipe and the credentials, and the version they were read at.
package struct Material: Sendable {
    package var id: SecretID
    package var version: Version
    /// The recipe as JSON text, as the administrator gave it.
    package var config: String?
    /// The URL that makes tokens itself; empty for none.
    ///
    /// `config` wins over it.
    package var logicCode: String
    package var credentials: [String: Redacted<String>]
    /// The newest refresh token that the provider issued; nil where the credential `refresh_token` is still the one to use.
    package var refreshToken: Redacted<String>?
    /// The version at which the credential `refresh_token` was written last.
    package var refreshVersion: Int64
    /// What the credentials were entered or confirmed for; nil where they were entered before this was kept, and the realm's recipe
    /// has not changed since; an origin alone where an earlier version confirmed it, and nothing has bound it since; nowhere where
    /// they may not be sent anywhere until somebody confirms it.
    package var confirmedFor: Destination?

    package init(
        id: SecretID, version: Version, config: String?, logicCode: String, credentials: [String: Redacted<String>],
        refreshToken: Redacted<String>? = nil, refreshVersion: Int64 = 0, confirmedFor: Destination? = nil
    ) {
        self.id = id
        self.version = version
        self.config = config
        self.logicCode = logicCode
        self.credentials = credentials
        self.refreshToken = refreshToken
        self.refreshVersion = refreshVersion
        self.confirmedFor = confirmedFor
    }
}

extension [String: Change<Redacted<String>>] {
    /// Whether each of these credentials is entered again or taken away: nothing stays that was entered before.
    package func replacesAll(_ names: some Sequence<String>) -> Bool {
        names.allSatisfy { name in
            switch self[name] {
            case .set, .clear: true
            case .keep, nil: false
            }
        }
    }
}
