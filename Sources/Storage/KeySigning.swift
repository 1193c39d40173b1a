package import Crypto
package import SQL

/// Signs the API keys that nobody has signed, which opened something before rows were signed.
package final class KeySigning {
    /// One row, for people to read.
    package struct Entry: Sendable, Equatable {
        package let id: String
        package let role: String
        /// Epoch milliseconds.
        package let createdAt: Int64
        package let createdBy: String
    }

    private let connection: any Connection
    private let sealer: Sealer

    package init(_ connection: any Connection, _ keys: MasterKeys) {
        self.connection = connection
        sealer = Sealer(keys)
    }

    /// How many API keys nobody has signed.
    package static func unsigned(_ connection: any Connection) throws -> Int {
        let rows = try connection.rows("SELECT COUNT(*) FROM api_key WHERE signature IS NULL")
        return Int(try rows.first?.integer(0) ?? 0)
    }

    /// Signs every row without a signature as it is, whoever wrote it; a row with a signature that is not ours stays refused.
    package func run(isDry: Bool = false) throws -> [Entry] {
        var entries: [Entry] = []
        let rows = try connection.rows(
            """
            SELECT \(unsafeSQL: GrantColumns.list), api_key.created_by FROM api_key
            WHERE api_key.signature IS NULL ORDER BY api_key.id
            """)
        for row in rows {
            var columns = ColumnReader(row, GrantColumns.qualifiedNames + ["api_key.created_by"])
            let signed = try KeyRow(&columns).signed
            entries.append(
                Entry(id: signed.id, role: signed.role, createdAt: signed.createdAt, createdBy: try columns.text()))
            if isDry { continue }
            let signature = try sealer.sign(signed)
            try connection.execute(
                """
                UPDATE api_key SET signed_with = \(signature.keyID), signature = \(signature.code)
                WHERE id = \(signed.id) AND signature IS NULL
                """)
        }
        return entries
    }
}
