internal import Crypto
internal import SQL

/// API keys are signed, not sealed: those under another key are signed anew.
extension Rekeying {
    func signKeysAnew() throws -> Count {
        var count = Count(column: "api_key.signature", isSignature: true)
        var last = ""
        while true {
            let rows = try connection.rows(
                """
                SELECT \(unsafeSQL: GrantColumns.list) FROM api_key
                WHERE (api_key.signed_with IS NULL OR api_key.signed_with <> \(sealer.sealingID)) AND api_key.id > \(last)
                ORDER BY api_key.id LIMIT \(Int64(options.batch))
                """)
            for row in rows {
                var columns = ColumnReader(row, GrantColumns.qualifiedNames)
                let row = try KeyRow(&columns)
                last = row.signed.id
                try signAnew(row, &count)
            }
            if rows.count < options.batch { break }
        }
        let left = try connection.rows(
            "SELECT COUNT(*) FROM api_key WHERE signed_with IS NULL OR signed_with <> \(sealer.sealingID)")
        count.remaining = Int(try left.first?.integer(0) ?? 0)
        return count
    }

    /// A row is never changed but deleted: nobody can have written another one meanwhile.
    private func signAnew(_ row: KeyRow, _ count: inout Count) throws {
        guard try sealer.isGenuine(row.signed, row.signature) else {
            if let fault { count.unopened.append(fault) }
            return
        }
        count.resealed += 1
        if options.isDry { return }
        let signature = try sealer.sign(row.signed)
        try connection.execute(
            """
            UPDATE api_key SET signed_with = \(signature.keyID), signature = \(signature.code)
            WHERE id = \(row.signed.id)
            """)
    }
}
