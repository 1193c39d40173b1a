internal import Clocks
package import Log
internal import SQL
package import Tokens

extension DatabaseStore: SecretStore {
    private static let columns: Query =
        """
        secret.realm, secret.`key`, secret.created_at, secret.updated_at, secret.confirmed_for, secret.version,
        secret.sealed_with, secret.credentials
        """
    private static let names = [
        "secret.realm", "secret.key", "secret.created_at", "secret.updated_at", "secret.confirmed_for",
        "secret.version", "secret.sealed_with",
        "secret.credentials",
    ]

    package func secrets(_ page: Page, realm: String?, in scope: Scope) throws(StoreError) -> Listing<Secret> {
        var condition: Query = "WHERE \(scope.condition(realm: "secret.realm", key: "secret.`key`"))"
        if let realm { condition = "\(condition) AND secret.realm = \(realm)" }
        let total = try count("SELECT COUNT(*) FROM secret \(condition)")
        let found = try rows(
            """
            SELECT \(Self.columns) FROM secret \(condition)
            ORDER BY secret.updated_at DESC, secret.created_at DESC, secret.realm, secret.`key` \(page.limit)
            """)
        var secrets: [Secret] = []
        for row in found { secrets.append(try secret(row)) }
        return Listing(elements: secrets, total: total)
    }

    package func secret(_ id: SecretID) throws(StoreError) -> Secret? {
        let found = try rows(
            "SELECT \(Self.columns) FROM secret WHERE secret.realm = \(id.realm) AND secret.`key` = \(id.key)")
        guard let row = found.first else { return nil }
        let secret = try secret(row)
        return secret.id == id ? secret : nil
    }

    package func write(
        _ id: SecretID, _ changes: [String: Change<Redacted<String>>], discardsToken: Bool, destination: Destination?
    ) throws(StoreError) -> Secret? {
        let written = try retrying { () throws(StoreError) -> Written? in
            let found = try rows(
                """
                SELECT \(now), realm.revision, secret.version, secret.sealed_with, secret.created_at, secret.updated_at,
                    secret.confirmed_for, realm.id, secret.`key`, secret.credentials
                FROM realm LEFT JOIN secret ON secret.realm = realm.id AND secret.`key` = \(id.key)
                WHERE realm.id = \(id.realm)
                """)
            guard let row = found.first else { return .unknownRealm }
            var columns = ColumnReader(
                row,
                [
                    "clock", "realm.revision", "secret.version", "secret.sealed_with", "secret.created_at",
                    "secret.updated_at", "secret.confirmed_for", "realm.id", "secret.key", "secret.credentials",
                ])
            let now = try columns.instant()
            columns.skip(1)
            guard let version = try columns.optionalInteger() else {
                let credentials = CredentialsText.merge(changes, into: [:]) ?? [:]
                return try insert(id, credentials, destination, at: now)
            }
            let sealedWith = try columns.optionalText()
            let createdAt = try columns.instant()
            let updatedAt = try columns.instant()
            let oldDestination = try columns.optionalText().map { Destination($0) }
            let stored = SecretID(realm: try columns.text(), key: try columns.text())
            // Where what is stored does not open, what is entered now is all there is.
            let place = SealedPlace(credentialsOf: stored, version: version, for: oldDestination)
            let text = try columns.text()
            let opened = try credentials(text, sealedWith: sealedWith, at: place)
            let old = opened ?? [:]
            let merged = CredentialsText.merge(changes, into: old)
            // What was entered before this was written down was entered for where the realm still leads.
            let entered = oldDestination ?? SealBinding.destination(ofUnconfirmed: text)
            let kept = destination?.binding(entered) ?? oldDestination
            let newDestination = changes.replacesAll(old.keys) ? destination ?? oldDestination : kept
            // Nothing was entered in the place of what does not open: it stays, in case its key comes back.
            let isUnchanged = merged == nil && !discardsToken && newDestination == oldDestination
            if isUnchanged || (merged == nil && opened == nil) {
                var secret = Secret(id, old, oldDestination, createdAt: createdAt, updatedAt: updatedAt)
                secret.isQuarantined = opened == nil
                return .stored(secret)
            }
            let new = merged ?? old
            let newVersion = max(version + 1, now.milliseconds)
            let discard: Query = if discardsToken { ", valid_from = \(newVersion)" } else { "" }
            // Another refresh token begins another line: what was issued for the one before is of no use any more. So does another
            // destination: what the provider before issued was not entered for it.
            let isMoved =
                if let oldDestination, let newDestination { !oldDestination.permits(newDestination) } else { false }
            let isSameRefreshToken =
                new["refresh_token"].map { Array($0.reveal().utf8) }
                == old["refresh_token"].map { Array($0.reveal().utf8) }
            let refresh: Query = if isSameRefreshToken && !isMoved { "" } else { ", refresh_version = \(newVersion)" }
            let sealed = try seal(
                new, at: SealedPlace(credentialsOf: stored, version: newVersion, for: newDestination))
            let updated = try execute(
                """
                UPDATE secret SET credentials = \(sealed), sealed_with = \(sealer.sealingID), quarantined_at = NULL,
                    version = \(newVersion), confirmed_for = \(newDestination?.text),
                    updated_at = \(now.milliseconds)\(discard)\(refresh)
                WHERE realm = \(id.realm) AND `key` = \(id.key) AND version = \(version)
                """)
            return updated == 1 ? .stored(Secret(id, new, newDestination, createdAt: createdAt, updatedAt: now)) : nil
        }
        switch written {
        case .unknownRealm: return nil
        case .stored(let secret): return secret
        }
    }

    package func placeToken(_ id: SecretID, _ token: PlacedToken) throws(StoreError) -> TokenPlacement? {
        try retrying { () throws(StoreError) -> TokenPlacement?? in
            let found = try rows(
                """
                SELECT realm.recipe_version, secret.version, realm.revision,
                    CASE WHEN realm.config IS NOT NULL OR realm.logic_code <> '' THEN 1 ELSE 0 END,
                    token.realm, token.`key`, token.generation, realm.policy
                FROM realm INNER JOIN secret ON secret.realm = realm.id
                    INNER JOIN token ON token.realm = secret.realm AND token.`key` = secret.`key`
                WHERE realm.id = \(id.realm) AND secret.`key` = \(id.key)
                """)
            guard let row = found.first else { return .some(nil) }
            var columns = ColumnReader(
                row,
                [
                    "realm.recipe_version", "secret.version", "realm.revision", "realm.config and logic_code",
                    "token.realm", "token.key", "token.generation", "realm.policy",
                ])
            let version = Version(realm: try columns.integer(), secret: try columns.integer())
            let revision = try columns.integer()
            if try columns.integer() != 0 { return .some(.hasUpstream) }
            let stored = SecretID(realm: try columns.text(), key: try columns.text())
            let generation = try columns.integer()
            let isTold = try policy(try columns.optionalText()).noticeURL != nil
            let notice = isTold ? Notice(.token, generation: generation + 1) : nil
            return try place(token, stored, version, at: revision, after: generation, notice) ? .some(.placed) : nil
        }
    }

    /// The fence goes up, so that no call of a recipe that is no more can store its token over this one.
    private func place(
        _ token: PlacedToken, _ id: SecretID, _ version: Version, at revision: Int64, after generation: Int64,
        _ notice: Notice?
    ) throws(StoreError) -> Bool {
        let value = try sealer.seal(token.token, at: SealedPlace(.token, id, version: generation + 1))
        let expiresAt: Query =
            switch token.expiry {
            case .never: "NULL"
            case .after(let life): "\(now) + \(life.wholeMilliseconds)"
            case .at(let instant): "\(instant.milliseconds)"
            }
        return try transaction {
            // Nobody gives the realm a recipe meanwhile.
            let realms = try connection.execute(
                "UPDATE realm SET revision = revision + 1 WHERE id = \(id.realm) AND revision = \(revision)")
            guard realms == 1 else { return false }
            let placed = try connection.execute(
                """
                UPDATE token SET token = \(value), sealed_with = \(sealer.sealingID), expires_at = \(expiresAt),
                    generation = \(generation + 1), fence = fence + 1, minted_at = \(now),
                    minted_for_realm = \(version.realm), minted_for_secret = \(version.secret),
                    doubts = 0, dies_at = NULL, next_mint_at = NULL, due_at = NULL,
                    retry_at = NULL, retry_class = NULL, retry_for_realm = NULL, retry_for_secret = NULL,
                    failure = NULL, fails = 0, holder = NULL, reason = NULL, taken_at = NULL, lease_until = NULL
                WHERE realm = \(id.realm) AND `key` = \(id.key) AND generation = \(generation)
                """)
            guard placed == 1 else { return false }
            if let notice { try connection.execute(insert(notice, of: id)) }
            return true
        }
    }

    package func deleteSecret(_ id: SecretID) throws(StoreError) -> Bool {
        try transaction {
            let deleted = try connection.execute(
                "DELETE FROM secret WHERE realm = \(id.realm) AND `key` = \(id.key)")
            try connection.execute("DELETE FROM token WHERE realm = \(id.realm) AND `key` = \(id.key)")
            return deleted == 1
        }
    }

    private enum Written {
        case unknownRealm
        case stored(Secret)
    }

    /// Creates the secret and its token row together, while its realm exists; nil when somebody else was faster.
    private func insert(
        _ id: SecretID, _ credentials: [String: Redacted<String>], _ destination: Destination?, at now: Timestamp
    ) throws(StoreError) -> Written? {
        // Versions and fences start at the clock, so that a secret that is deleted and made again never repeats one.
        let start = now.milliseconds
        let sealed = try seal(credentials, at: SealedPlace(credentialsOf: id, version: start, for: destination))
        do {
            return try rawTransaction {
                // A write of the realm's own row: whatever the isolation, either this or its deletion comes first.
                let realms = try connection.execute("UPDATE realm SET revision = revision + 1 WHERE id = \(id.realm)")
                guard realms == 1 else { return .unknownRealm }
                try connection.execute(
                    """
                    INSERT INTO secret
                        (realm, `key`, credentials, sealed_with, confirmed_for, version, created_at, updated_at)
                    VALUES (\(id.realm), \(id.key), \(sealed), \(sealer.sealingID), \(destination?.text),
                        \(start), \(start), \(start))
                    """)
                try connection.execute(
                    """
                    INSERT INTO token (realm, `key`, generation, fence, fails, doubts, marks)
                    VALUES (\(id.realm), \(id.key), 0, \(start), 0, 0, 0)
                    """)
                return .stored(Secret(id, credentials, destination, createdAt: now, updatedAt: now))
            }
        } catch let error as DatabaseError {
            if error.code == .uniqueViolation { return nil }
            throw StoreError(error)
        } catch {
            throw .broken("an unexpected error in a transaction")
        }
    }

    private func secret(_ row: Row) throws(StoreError) -> Secret {
        var columns = ColumnReader(row, Self.names)
        let id = SecretID(realm: try columns.text(), key: try columns.text())
        let createdAt = try columns.instant()
        let updatedAt = try columns.instant()
        let destination = try columns.optionalText().map { Destination($0) }
        let version = try columns.integer()
        let sealedWith = try columns.optionalText()
        let place = SealedPlace(credentialsOf: id, version: version, for: destination)
        let credentials = try credentials(try columns.text(), sealedWith: sealedWith, at: place)
        var secret = Secret(id, credentials ?? [:], destination, createdAt: createdAt, updatedAt: updatedAt)
        secret.isQuarantined = credentials == nil
        return secret
    }

    /// Nil where they do not open.
    private func credentials(
        _ text: String, sealedWith: String?, at place: SealedPlace
    ) throws(StoreError) -> [String: Redacted<String>]? {
        guard let opened = try sealer.open(text, sealedWith: sealedWith, at: place) else { return nil }
        return try CredentialsText.decode(opened.reveal())
    }

    private func seal(
        _ credentials: [String: Redacted<String>], at place: SealedPlace
    ) throws(StoreError) -> String {
        try sealer.seal(Redacted(CredentialsText.encode(credentials)), at: place)
    }
}

extension Secret {
    fileprivate init(
        _ id: SecretID, _ credentials: [String: Redacted<String>], _ destination: Destination?, createdAt: Timestamp,
        updatedAt: Timestamp
    ) {
        self.init(id: id, credentialNames: credentials.keys.sorted(), createdAt: createdAt, updatedAt: updatedAt)
        confirmedFor = destination
    }
}
