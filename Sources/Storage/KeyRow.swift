internal import Clocks
internal import Crypto
internal import JSON
internal import Tokens

/// A row of `api_key` as its columns hold it, before anything is believed of it.
struct KeyRow {
    let signed: SignedKeyRow
    /// Nil where nobody has signed it.
    let signature: SigningKeys.Signature?
    let usedAt: Timestamp?

    /// Reads `GrantColumns`.
    init(_ columns: inout ColumnReader) throws(StoreError) {
        let id = try columns.text()
        let digest = try columns.text()
        let role = try columns.text()
        let scope = try columns.optionalText()
        let addresses = try columns.optionalText()
        let expiresAt = try columns.optionalInteger()
        usedAt = try columns.optionalInstant()
        signed = SignedKeyRow(
            id: id, digest: digest, role: role, scope: scope, addresses: addresses, expiresAt: expiresAt,
            createdAt: try columns.integer())
        let keyID = try columns.optionalText()
        let code = try columns.optionalText()
        if let keyID, let code {
            signature = SigningKeys.Signature(keyID: keyID, code: code)
        } else {
            signature = nil
        }
    }

    func grant(_ scopes: inout StoredScopes) throws(StoreError) -> KeyGrant {
        guard let role = Role(rawValue: signed.role) else {
            throw .broken("api_key.role is none of the known words")
        }
        let addresses = try signed.addresses.map { text throws(StoreError) in try KeyRow.texts(parsing: text) }
        return KeyGrant(
            id: signed.id, digest: try KeyRow.digest(signed.digest), role: role,
            scope: try scopes.scope(signed.scope), addresses: addresses ?? [],
            expiresAt: signed.expiresAt.map { Timestamp(milliseconds: $0) }, usedAt: usedAt)
    }

    /// What is left of a row that cannot be understood.
    var nothing: KeyGrant {
        KeyGrant(id: signed.id, digest: [], role: .reader, scope: Scope(realms: [], secrets: []), usedAt: usedAt)
    }

    static func digest(_ text: String) throws(StoreError) -> [UInt8] {
        guard let digest = Hex.decode(text), digest.count == 32 else { throw .broken("api_key.digest is no digest") }
        return digest
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
}
