internal import Clocks
internal import SQL
package import Tokens

extension DatabaseStore {
    package func unconfirmedSecrets(of id: String, _ destination: Destination) throws(StoreError) -> Int {
        // An origin alone stands for every place at it.
        try count(
            """
            SELECT COUNT(*) FROM secret
            WHERE realm = \(id) AND ((confirmed_for <> \(destination.text) AND confirmed_for <> \(destination.origin))
                OR (confirmed_for IS NULL AND credentials LIKE \(SealBinding.destination.mark + "%")))
            """)
    }

    package func confirmSecrets(of id: String, _ destination: Destination) throws(StoreError) -> Int {
        try retrying { () throws(StoreError) -> Int? in
            let others: Query = "(confirmed_for IS NULL OR confirmed_for <> \(destination.text))"
            if try count("SELECT COUNT(*) FROM secret WHERE realm = \(id) AND \(others)") == 0 { return 0 }
            // What could go there before is bound, and not fetched anew for it.
            let version: Query =
                if try unconfirmedSecrets(of: id, destination) == 0 { "" } else {
                    """
                    , recipe_version = CASE WHEN recipe_version < \(now) THEN \(now) ELSE recipe_version + 1 END
                    """
                }
            return try guardedTransaction {
                // The realm's row comes first, as in every other transaction.
                try connection.execute("UPDATE realm SET revision = revision + 1\(version) WHERE id = \(id)")
                return try bind(id, others) { _ in destination }
            }
        }
    }

    /// Binds those of a realm's secrets for which nobody had written down, or by its origin alone, where they may be sent.
    ///
    /// - Parameter destination: where the realm leads.
    /// - Throws: `Overtaken` where somebody else has written one since it was read.
    func bindUnbound(_ realm: String, to destination: Destination) throws {
        let unbound: Query = "(confirmed_for IS NULL OR (confirmed_for <> '' AND confirmed_for NOT LIKE \("%#%")))"
        _ = try bind(realm, unbound) { destination.binding($0) }
    }

    /// Seals the credentials and refresh tokens of those of a realm's secrets for other destinations; answers of how many.
    ///
    /// - Parameter target: what a secret is bound to by what it was confirmed for.
    /// - Throws: `Overtaken` where somebody else has written one since it was read.
    private func bind(
        _ realm: String, _ condition: Query, to target: (Destination?) -> Destination
    ) throws -> Int {
        let batch = 500
        var bound = 0
        var last = ""
        while true {
            let found = try rows(
                """
                SELECT realm, `key`, version, confirmed_for, sealed_with, credentials FROM secret
                WHERE realm = \(realm) AND \(condition) AND `key` > \(last) ORDER BY `key` LIMIT \(Int64(batch))
                """)
            for row in found {
                var columns = ColumnReader(
                    row,
                    [
                        "secret.realm", "secret.key", "secret.version", "secret.confirmed_for", "secret.sealed_with",
                        "secret.credentials",
                    ])
                let id = SecretID(realm: try columns.text(), key: try columns.text())
                last = id.key
                let version = try columns.integer()
                let old = try columns.optionalText().map { Destination($0) }
                let sealedWith = try columns.optionalText()
                let text = try columns.text()
                let destination = target(old ?? SealBinding.destination(ofUnconfirmed: text))
                let place = SealedPlace(credentialsOf: id, version: version, for: old)
                var sealing: Query = ""
                if let opened = try sealer.open(text, sealedWith: sealedWith, at: place) {
                    let new = SealedPlace(credentialsOf: id, version: version, for: destination)
                    sealing = ", credentials = \(try sealer.seal(opened, at: new)), sealed_with = \(sealer.sealingID)"
                } else if !DatabaseStore.opensUnchanged(text, confirmedFor: old, after: destination) {
                    continue
                }
                if sealedWith != nil, !sealing.text.isEmpty { try bindRefreshToken(of: id, from: old, to: destination) }
                let updated = try connection.execute(
                    """
                    UPDATE secret SET confirmed_for = \(destination.text)\(sealing)
                    WHERE realm = \(id.realm) AND `key` = \(id.key) AND version = \(version) AND credentials = \(text)
                    """)
                if updated != 1 { throw Overtaken() }
                bound += 1
            }
            if found.count < batch { return bound }
        }
    }

    /// Whether credentials that do not open now, for the key that sealed them is away, open for another destination once it is back.
    ///
    /// So they stand for every place at an origin no longer than others, whose key is there.
    private static func opensUnchanged(
        _ text: String, confirmedFor old: Destination?, after new: Destination
    ) -> Bool {
        switch SealBinding(of: text, in: .credentials) {
        case .place: true
        case .origin: old.map { $0.isOriginAlone && $0.origin == new.origin } ?? false
        case .destination: false
        }
    }

    /// Seals a secret's refresh token for another destination; one that does not open for the old one stays as it is.
    private func bindRefreshToken(of id: SecretID, from old: Destination?, to new: Destination) throws {
        let found = try rows(
            """
            SELECT refresh_token_generation, refresh_token_sealed_with, refresh_token FROM token
            WHERE realm = \(id.realm) AND `key` = \(id.key) AND refresh_token IS NOT NULL
            """)
        guard let row = found.first else { return }
        var columns = ColumnReader(
            row, ["token.refresh_token_generation", "token.refresh_token_sealed_with", "token.refresh_token"])
        let generation = try columns.integer()
        let sealedWith = try columns.optionalText()
        let text = try columns.text()
        let place = SealedPlace(refreshTokenOf: id, generation: generation, for: old)
        guard let opened = try sealer.open(text, sealedWith: sealedWith, at: place) else { return }
        let sealed = try sealer.seal(opened, at: SealedPlace(refreshTokenOf: id, generation: generation, for: new))
        let updated = try connection.execute(
            """
            UPDATE token SET refresh_token = \(sealed), refresh_token_sealed_with = \(sealer.sealingID)
            WHERE realm = \(id.realm) AND `key` = \(id.key) AND refresh_token = \(text)
            """)
        if updated != 1 { throw Overtaken() }
    }
}
