internal import Clocks
internal import JSON
internal import SQL
internal import Tokens

/// The columns of `api_key` that say what a key grants, in the order in which they are selected and read.
enum GrantColumns {
    static let qualifiedNames = ["id", "digest", "role", "scope", "addresses", "expires_at", "used_at"].map {
        "api_key.\($0)"
    }
    static let list = qualifiedNames.joined(separator: ", ")

    static func read(_ columns: inout ColumnReader, _ scopes: inout StoredScopes) throws(StoreError) -> KeyGrant {
        let id = try columns.text()
        let digest = try bytes(ofHex: try columns.text())
        guard let role: Role = try columns.optionalWord() else { throw .broken("api_key.role is not set") }
        let scope = try scopes.scope(try columns.optionalText())
        let addresses = try columns.optionalText().map { text throws(StoreError) in try texts(parsing: text) }
        return KeyGrant(
            id: id, digest: digest, role: role, scope: scope, addresses: addresses ?? [],
            expiresAt: try columns.optionalInstant(), usedAt: try columns.optionalInstant())
    }

    /// Reads what no key has, for a key that does not exist: the time of its refusal is that of a wrong one's.
    static func readNothing(_ scopes: inout StoredScopes) throws(StoreError) {
        var columns = ColumnReader(nothing, qualifiedNames)
        _ = try read(&columns, &scopes)
    }

    private static let nothing = Row([
        .text(String(repeating: "0", count: 16)), .text(String(repeating: "0", count: 64)),
        .text(Role.reader.rawValue), .null, .null, .null, .null,
    ])

    static func bytes(ofHex text: String) throws(StoreError) -> [UInt8] {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == 64, !digits.contains(nil) else { throw .broken("api_key.digest is no digest") }
        return stride(from: 0, to: 64, by: 2).map { UInt8((digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0)) }
    }

    private static func texts(parsing text: String) throws(StoreError) -> [String] {
        guard let elements = (try? JSON.Value(parsing: text.utf8))?.array else {
            throw .broken("api_key.addresses is not a JSON array")
        }
        var texts: [String] = []
        for element in elements {
            guard let text = element.string else { throw .broken("api_key.addresses holds what is not text") }
            texts.append(text)
        }
        return texts
    }

    static func hex(_ digest: [UInt8]) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Nil for none, so that an empty list never comes to mean nobody.
    static func text(_ addresses: [String]) -> String? {
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
