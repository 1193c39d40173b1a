package import Clocks
internal import Crypto
internal import SQL
package import Tokens

extension DatabaseStore: KeyStore {
    private static let columns: Query = "\(unsafeSQL: GrantColumns.list), api_key.comment, api_key.created_by"
    private static let names = GrantColumns.qualifiedNames + ["api_key.comment", "api_key.created_by"]

    package func grant(_ id: String) throws(StoreError) -> KeyReading? {
        let found = try rows("SELECT \(now), \(unsafeSQL: GrantColumns.list) FROM api_key WHERE api_key.id = \(id)")
        guard let row = found.first else {
            try GrantColumns.readNothing(&scopes, sealer)
            return nil
        }
        var columns = ColumnReader(row, ["clock"] + GrantColumns.qualifiedNames)
        let now = try columns.instant()
        return try GrantColumns.grant(&columns, &scopes, sealer).map { KeyReading(grant: $0, now: now) }
    }

    package func digests(_ limit: Int) throws(StoreError) -> [[UInt8]] {
        let found = try rows(
            """
            SELECT api_key.digest FROM api_key WHERE api_key.expires_at IS NULL OR api_key.expires_at > \(now)
            ORDER BY api_key.created_at DESC LIMIT \(Int64(limit))
            """)
        var digests: [[UInt8]] = []
        for row in found {
            var columns = ColumnReader(row, ["api_key.digest"])
            // A row that cannot be read opens nothing, and is no reason to send the others away.
            if let digest = try? KeyRow.digest(try columns.text()) { digests.append(digest) }
        }
        return digests
    }

    package func keys(_ page: Page) throws(StoreError) -> Listing<APIKey> {
        let total = try count("SELECT COUNT(*) FROM api_key")
        let found = try rows(
            """
            SELECT \(Self.columns) FROM api_key
            ORDER BY api_key.created_at DESC, api_key.id \(page.limit)
            """)
        var keys: [APIKey] = []
        for row in found { keys.append(try self.key(row)) }
        return Listing(elements: keys, total: total)
    }

    package func key(_ id: String) throws(StoreError) -> APIKey? {
        let found = try rows("SELECT \(Self.columns) FROM api_key WHERE api_key.id = \(id)")
        return try found.first.map { row throws(StoreError) in try self.key(row) }
    }

    package func create(_ grant: KeyGrant, comment: String, by creator: String) throws(StoreError) -> APIKey? {
        let now = try databaseNow()
        if let expiresAt = grant.expiresAt, expiresAt <= now { return nil }
        let row = GrantColumns.row(grant, createdAt: now)
        let signature = try sealer.sign(row)
        try execute(
            """
            INSERT INTO api_key
                (id, digest, role, scope, addresses, comment, expires_at, created_at, created_by, signed_with, signature)
            VALUES (\(row.id), \(row.digest), \(row.role), \(row.scope), \(row.addresses), \(comment),
                \(row.expiresAt), \(row.createdAt), \(creator), \(signature.keyID), \(signature.code))
            """)
        return APIKey(grant: grant, comment: comment, createdAt: now, createdBy: creator)
    }

    package func deleteKey(_ id: String) throws(StoreError) -> Bool {
        try execute("DELETE FROM api_key WHERE id = \(id)") == 1
    }

    package func noteUse(ofKey id: String, at instant: Timestamp) throws(StoreError) {
        try execute(
            """
            UPDATE api_key SET used_at = \(instant.milliseconds)
            WHERE id = \(id) AND (used_at IS NULL OR used_at < \(instant.milliseconds))
            """)
    }

    private func key(_ row: Row) throws(StoreError) -> APIKey {
        var columns = ColumnReader(row, Self.names)
        let stored = try GrantColumns.stored(&columns, &scopes, sealer)
        var key = APIKey(
            grant: stored.grant, comment: try columns.text(), createdAt: stored.createdAt,
            createdBy: try columns.text())
        key.isQuarantined = !stored.isGenuine
        return key
    }
}
