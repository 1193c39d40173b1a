internal import Clocks
internal import Crypto
internal import JSON
internal import SQL
internal import Tokens

/// The columns of `api_key` that say what a key grants, in the order in which they are selected and read.
enum GrantColumns {
    /// A row as it was read.
    struct Stored {
        var grant: KeyGrant
        var createdAt: Timestamp
        /// Whether it was signed as it is.
        var isGenuine: Bool
    }

    static let qualifiedNames = [
        "id", "digest", "role", "scope", "addresses", "expires_at", "used_at", "created_at", "signed_with", "signature",
    ].map { "api_key.\($0)" }
    static let list = qualifiedNames.joined(separator: ", ")

    /// What the key grants; nil where its row is not as it was signed.
    static func grant(
        _ columns: inout ColumnReader, _ scopes: inout StoredScopes, _ sealer: Sealer
    ) throws(StoreError) -> KeyGrant? {
        let row = try KeyRow(&columns)
        return try sealer.isGenuine(row.signed, row.signature) ? try row.grant(&scopes) : nil
    }

    /// The same for people to read: of a row that is not genuine as much as can be understood.
    static func stored(
        _ columns: inout ColumnReader, _ scopes: inout StoredScopes, _ sealer: Sealer
    ) throws(StoreError) -> Stored {
        let row = try KeyRow(&columns)
        let isGenuine = try sealer.isGenuine(row.signed, row.signature)
        let grant = isGenuine ? try row.grant(&scopes) : (try? row.grant(&scopes)) ?? row.nothing
        return Stored(
            grant: grant, createdAt: Timestamp(milliseconds: row.signed.createdAt), isGenuine: isGenuine)
    }

    /// Reads what no key has, for a key that does not exist: the time of its refusal is that of a wrong one's.
    static func readNothing(_ scopes: inout StoredScopes, _ sealer: Sealer) throws(StoreError) {
        let signature = try sealer.signatureOfNothing()
        let row = Row([
            .text(nothing.id), .text(nothing.digest), .text(nothing.role), .null, .null, .null, .null,
            .integer(nothing.createdAt), .text(signature.keyID), .text(signature.code),
        ])
        var columns = ColumnReader(row, qualifiedNames)
        _ = try grant(&columns, &scopes, sealer)
    }

    /// No key has this digest.
    static let nothing = SignedKeyRow(
        id: String(repeating: "0", count: 16), digest: String(repeating: "0", count: 64), role: Role.reader.rawValue,
        createdAt: 0)

    /// The row that a key is stored as.
    static func row(_ grant: KeyGrant, createdAt: Timestamp) -> SignedKeyRow {
        SignedKeyRow(
            id: grant.id, digest: Hex.encode(grant.digest), role: grant.role.rawValue,
            scope: ScopeText.encode(grant.scope),
            addresses: text(grant.addresses), expiresAt: grant.expiresAt?.milliseconds,
            createdAt: createdAt.milliseconds)
    }

    /// Nil for none, so that an empty list never comes to mean nobody.
    private static func text(_ addresses: [String]) -> String? {
        addresses.isEmpty ? nil : JSON.Value.array(addresses.map { .string($0) }).text
    }
}

/// A scope as the column `api_key.scope` keeps it: `{"realms":["wx"],"secrets":[["gh","app"]]}`; NULL for everything.
enum ScopeText {
    static func encode(_ scope: Scope) -> String? {
        if scope.isEverything { return nil }
        let value: JSON.Value = [
            "realms": .array(scope.realms.map { .string($0) }),
            "secrets": .array(scope.secrets.map { .array([.string($0.realm), .string($0.key)]) }),
        ]
        return value.text
    }

    static func decode(_ text: String) throws(StoreError) -> Scope {
        let value = try? JSON.Value(parsing: text.utf8)
        guard let realms = value?["realms"]?.array, let secrets = value?["secrets"]?.array else {
            throw .broken("api_key.scope is not a scope")
        }
        var scope: (realms: [String], secrets: [SecretID]) = ([], [])
        for realm in realms {
            guard let realm = realm.string else { throw .broken("api_key.scope names a realm that is not text") }
            scope.realms.append(realm)
        }
        for secret in secrets {
            guard let pair = secret.array, pair.count == 2, let realm = pair[0].string, let key = pair[1].string else {
                throw .broken("api_key.scope names a secret that is not a pair of texts")
            }
            scope.secrets.append(SecretID(realm: realm, key: key))
        }
        return Scope(realms: scope.realms, secrets: scope.secrets)
    }
}

extension Scope {
    /// What a list's statement asks of a realm's column.
    func condition(realm: String) -> Query {
        if isEverything { return "1 = 1" }
        return Scope.any((realms + secrets.map(\.realm)).map { "\(unsafeSQL: realm) = \($0)" })
    }

    /// What a list's statement asks of a secret's columns.
    func condition(realm: String, key: String) -> Query {
        if isEverything { return "1 = 1" }
        let whole: [Query] = realms.map { "\(unsafeSQL: realm) = \($0)" }
        let single: [Query] = secrets.map {
            "(\(unsafeSQL: realm) = \($0.realm) AND \(unsafeSQL: key) = \($0.key))"
        }
        return Scope.any(whole + single)
    }

    private static func any(_ conditions: [Query]) -> Query {
        guard var all = conditions.first else { return "1 = 0" }
        for condition in conditions.dropFirst() { all = "\(all) OR \(condition)" }
        return "(\(all))"
    }
}
