package import Clocks
internal import Log
internal import SQL
package import Tokens

/// The statements of the refresh protocol.
///
/// MySQL assigns from left to right and a later expression sees the new value; SQLite sees the old one throughout.
/// So a column is assigned after the last expression that reads it, and none but the table itself is read.
extension DatabaseStore: TokenStore {
    private static let lookupColumns =
        [
            "clock", "realm.recipe_version", "realm.valid_from", "realm.config and logic_code", "realm.policy",
            "realm.id", "secret.key", "secret.version", "secret.valid_from",
        ] + TokenColumns.qualifiedNames
    private static let keyedLookupColumns =
        [lookupColumns[0]] + GrantColumns.qualifiedNames + Array(lookupColumns.dropFirst())

    package func read(
        _ id: SecretID, keyID: String?, arrival: Moment?, clock: any Clock
    ) throws(StoreError) -> Reading {
        guard let reads, let arrival else { return try read(id, keyID: keyID, clock: clock) }
        return try reads.reading(of: id, keyID: keyID, arrival: arrival) { () throws(StoreError) in
            try read(id, keyID: keyID, clock: clock)
        }
    }

    private func read(_ id: SecretID, keyID: String?, clock: any Clock) throws(StoreError) -> Reading {
        let asked = clock.now()
        let isKeyed = keyID != nil
        let found = try rows(lookupQuery(id, keyID: keyID))
        guard let row = found.first else {
            if isKeyed { try GrantColumns.readNothing(&scopes, sealer) }
            return Reading(.unknownRealm)
        }
        var columns = ColumnReader(row, isKeyed ? Self.keyedLookupColumns : Self.lookupColumns)
        let now = try columns.instant()
        let grant = isKeyed ? try GrantColumns.grant(&columns, &scopes, sealer) : nil
        let key = grant.map { KeyReading(grant: $0, now: now) }
        let rest = columns
        // Those who share the reading open what is sealed once.
        var known: Lookup?
        return Reading(key: key) { () throws(StoreError) in
            if let known { return known }
            var columns = rest
            let lookup = try self.lookup(id, &columns, now: now, asked: asked)
            known = lookup
            return lookup
        }
    }

    /// A hit asks nothing else: its long text is made once.
    private func lookupQuery(_ id: SecretID, keyID: String?) -> Query {
        let now = self.now
        if let keyID {
            let text = keyedLookupText ?? Self.lookupText(now, from: "api_key LEFT JOIN realm ON realm.id = ?")
            keyedLookupText = text
            let arguments: [Value] = [.text(id.realm), .text(id.key), .text(keyID)]
            return Query(unsafeSQL: text, arguments: now.arguments + arguments)
        }
        let text = lookupText ?? Self.lookupText(now, from: nil)
        lookupText = text
        return Query(unsafeSQL: text, arguments: now.arguments + [.text(id.key), .text(id.realm)])
    }

    /// Without the key nothing is answered, so that its row may lead; each table is met by its primary key.
    private static func lookupText(_ now: Query, from keyed: String?) -> String {
        """
        SELECT \(now.text), \(keyed == nil ? "" : GrantColumns.list + ", ")realm.recipe_version, realm.valid_from,
            CASE WHEN realm.config IS NOT NULL OR realm.logic_code <> '' THEN 1 ELSE 0 END, realm.policy,
            realm.id, secret.`key`, secret.version, secret.valid_from, \(TokenColumns.list)
        FROM \(keyed ?? "realm")
            LEFT JOIN secret ON secret.realm = realm.id AND secret.`key` = ?
            LEFT JOIN token ON token.realm = secret.realm AND token.`key` = secret.`key`
        WHERE \(keyed == nil ? "realm.id" : "api_key.id") = ?
        """
    }

    private func lookup(
        _ id: SecretID, _ columns: inout ColumnReader, now: Timestamp, asked: Moment
    ) throws(StoreError) -> Lookup {
        guard let realmVersion = try columns.optionalInteger() else { return .unknownRealm }
        let realmValidFrom = try columns.integer()
        let hasUpstream = try columns.integer() != 0
        let policy = try policy(try columns.optionalText())
        // A database may take names for equal that differ in spaces at their end, and what is sealed is bound to the name.
        guard try columns.text().utf8.elementsEqual(id.realm.utf8) else { return .unknownRealm }
        guard let key = try columns.optionalText(), key.utf8.elementsEqual(id.key.utf8) else { return .unknownSecret }
        let secretVersion = try columns.integer()
        let validFrom = Version(realm: realmValidFrom, secret: try columns.integer())
        return .found(
            Snapshot(
                row: try TokenColumns.read(&columns, of: id, sealer),
                version: Version(realm: realmVersion, secret: secretVersion),
                validFrom: validFrom, hasUpstream: hasUpstream, policy: policy, now: now, asked: asked))
    }

    package func material(_ id: SecretID) throws(StoreError) -> Material? {
        let found = try rows(
            """
            SELECT realm.recipe_version, realm.config, realm.logic_code,
                secret.version, secret.refresh_version, secret.quarantined_at, secret.confirmed_for,
                secret.sealed_with, secret.credentials, token.refresh_token_for, token.refresh_token_generation,
                token.refresh_token_sealed_with, token.refresh_token
            FROM realm INNER JOIN secret ON secret.realm = realm.id
                LEFT JOIN token ON token.realm = secret.realm AND token.`key` = secret.`key`
            WHERE realm.id = \(id.realm) AND secret.`key` = \(id.key)
            """)
        guard let row = found.first else { return nil }
        var columns = ColumnReader(
            row,
            [
                "realm.recipe_version", "realm.config", "realm.logic_code", "secret.version", "secret.refresh_version",
                "secret.quarantined_at", "secret.confirmed_for", "secret.sealed_with", "secret.credentials",
                "token.refresh_token_for", "token.refresh_token_generation", "token.refresh_token_sealed_with",
                "token.refresh_token",
            ])
        let realmVersion = try columns.integer()
        let config = try columns.optionalText()
        let logicCode = try columns.text()
        let version = Version(realm: realmVersion, secret: try columns.integer())
        let refreshVersion = try columns.integer()
        let isQuarantined = try columns.optionalInteger() != nil
        let destination = try columns.optionalText().map { Destination($0) }
        let place = SealedPlace(credentialsOf: id, version: version.secret, for: destination)
        let sealedWith = try columns.optionalText()
        let stored = try columns.text()
        let text = try sealer.open(stored, sealedWith: sealedWith, at: place)
        let refreshToken = try refreshToken(
            &columns, of: id, descendingFrom: refreshVersion, for: destination, credentialsSealedWith: sealedWith)
        guard let text, refreshToken != .closed else {
            if !isQuarantined { try quarantine(id, version.secret, since: now) }
            throw .quarantined(version)
        }
        // The key is there again.
        if isQuarantined { try quarantine(id, version.secret, since: "NULL") }
        return Material(
            id: id, version: version, config: config, logicCode: logicCode,
            credentials: try CredentialsText.decode(text.reveal()), refreshToken: refreshToken.value,
            refreshVersion: refreshVersion,
            confirmedFor: destination ?? SealBinding.destination(ofUnconfirmed: stored))
    }

    private enum RefreshToken: Equatable {
        /// Nil where none of the present line is stored.
        case open(Redacted<String>?)
        /// To ask with an older one in its place could end what this one is good for.
        case closed

        var value: Redacted<String>? {
            if case .open(let value) = self { value } else { nil }
        }
    }

    private func refreshToken(
        _ columns: inout ColumnReader, of id: SecretID, descendingFrom refreshVersion: Int64,
        for destination: Destination?, credentialsSealedWith: String?
    ) throws(StoreError) -> RefreshToken {
        let descendsFrom = try columns.optionalInteger()
        let generation = try columns.optionalInteger() ?? 0
        let sealedWith = try columns.optionalText()
        guard let text = try columns.optionalText(), descendsFrom == refreshVersion else { return .open(nil) }
        let place = SealedPlace(refreshTokenOf: id, generation: generation, for: destination)
        let value = try sealer.openRefreshToken(
            text, sealedWith: sealedWith, at: place, credentialsSealedWith: credentialsSealedWith)
        return value.map { .open($0) } ?? .closed
    }

    /// Writes down that the credentials of this version do not open, or that they do again.
    private func quarantine(_ id: SecretID, _ version: Int64, since instant: Query) throws(StoreError) {
        try execute(
            """
            UPDATE secret SET quarantined_at = \(instant)
            WHERE realm = \(id.realm) AND `key` = \(id.key) AND version = \(version)
            """)
    }

    package func take(_ id: SecretID, _ lease: LeaseRequest) throws(StoreError) -> Bool {
        let forced: Int64 = lease.reason.isForced ? 1 : 0
        let use: Query = if lease.isUse { ", used_at = \(now)" } else { "" }
        return try execute(
            """
            UPDATE token SET doubts = \(lease.doubts), dies_at = \(lease.diesAt?.milliseconds), fails = \(lease.fails),
                fence = fence + 1, holder = \(lease.holder), reason = \(lease.reason.rawValue),
                taken_at = \(now), lease_until = \(now) + \(lease.lease.wholeMilliseconds),
                calls = CASE WHEN day = \(lease.day) THEN calls + 1 ELSE 1 END,
                forced = CASE WHEN day = \(lease.day) THEN forced + \(forced) ELSE \(forced) END,
                day = \(lease.day)\(use)
            WHERE realm = \(id.realm) AND `key` = \(id.key)
                AND fence = \(lease.fence) AND generation = \(lease.generation) AND marks = \(lease.marks)
                AND (lease_until IS NULL OR lease_until <= \(now))
            """) == 1
    }

    package func commit(_ id: SecretID, _ mint: MintRecord) throws(StoreError) -> Bool {
        let gap = mint.gap.wholeMilliseconds
        // Read from the token that is being replaced: this assignment has to come first.
        let nextMint: Query =
            if let next = mint.sameTokenNextMintAt {
                "\(next.milliseconds)"
            } else {
                """
                CASE WHEN token IS NULL OR expires_at <= \(now) THEN \(now)
                    WHEN expires_at < \(now) + \(gap) THEN expires_at ELSE \(now) + \(gap) END
                """
            }
        let step: Int64 = mint.sameTokenNextMintAt == nil ? 1 : 0
        // A mark since the look tells of a mint that came after this one.
        let diesAt = mint.overlap.map { (mint.look + $0).milliseconds }
        let generation = mint.generation + step
        let token = try sealer.seal(mint.token, at: SealedPlace(.token, id, version: generation))
        var refreshToken: Query = ""
        if let rotated = mint.refreshToken {
            let place = SealedPlace(refreshTokenOf: id, generation: generation, for: rotated.destination)
            let value = try sealer.seal(rotated.value, at: place)
            refreshToken = """
                refresh_token = \(value), refresh_token_sealed_with = \(sealer.sealingID),
                refresh_token_generation = \(generation), refresh_token_for = \(rotated.descendsFrom),
                """
        }
        return try execute(
            with: mint.notice, of: id,
            """
            UPDATE token SET next_mint_at = \(nextMint),
                token = \(token), sealed_with = \(sealer.sealingID), \(refreshToken)
                expires_at = \(mint.expiresAt?.milliseconds), generation = \(generation), minted_at = \(mint.look.milliseconds),
                minted_for_realm = \(mint.version.realm), minted_for_secret = \(mint.version.secret),
                doubts = CASE WHEN marks = \(mint.marksAtLook) THEN 0 ELSE 1 END,
                dies_at = CASE WHEN marks = \(mint.marksAtLook) THEN NULL ELSE \(diesAt) END,
                due_at = \(mint.dueAt?.milliseconds), calls = calls + \(mint.extraCalls),
                retry_at = NULL, retry_class = NULL, retry_for_realm = NULL, retry_for_secret = NULL, failure = NULL,
                fails = 0, holder = NULL, reason = NULL, taken_at = NULL, lease_until = NULL
            WHERE realm = \(id.realm) AND `key` = \(id.key)
                AND fence = \(mint.fence) AND generation = \(mint.generation)
            """)
    }

    package func release(_ id: SecretID, _ release: LeaseRelease) throws(StoreError) -> Bool {
        let pause: Query =
            if let pause = release.pause {
                """
                , retry_at = \(now) + \(pause.length.wholeMilliseconds),
                retry_class = \(pause.failure.failureClass.rawValue),
                retry_for_realm = \(pause.version.realm), retry_for_secret = \(pause.version.secret),
                failure = \(FailureText.encode(pause.failure)),
                due_at = CASE WHEN due_at IS NULL THEN NULL ELSE \(now) + \(pause.length.wholeMilliseconds) END
                """
            } else {
                ""
            }
        let unforced: Int64 = release.extraCalls < 0 ? 1 : 0
        return try execute(
            with: release.notice, of: id,
            """
            UPDATE token SET calls = calls + \(release.extraCalls), fails = \(release.fails),
                forced = CASE WHEN reason IN ('flush', 'report') THEN forced - \(unforced) ELSE forced END,
                holder = NULL, reason = NULL, taken_at = NULL, lease_until = NULL\(pause)
            WHERE realm = \(id.realm) AND `key` = \(id.key)
                AND fence = \(release.fence) AND lease_until IS NOT NULL
            """)
    }

    package func mark(_ id: SecretID, _ mark: LateMintMark) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE token SET dies_at = \(mark.diesAt.milliseconds), doubts = doubts + 1, marks = marks + 1
            WHERE realm = \(id.realm) AND `key` = \(id.key)
                AND fence <> \(mark.mine) AND marks = \(mark.marks) AND minted_at < \(mark.mintedBefore.milliseconds)
            """) == 1
    }

    package func noteUse(_ id: SecretID, seen: Timestamp?, dueAt: Timestamp?) throws(StoreError) -> Bool {
        let isAsSeen: Query = if let seen { "used_at = \(seen.milliseconds)" } else { "used_at IS NULL" }
        return try execute(
            """
            UPDATE token SET used_at = \(now), due_at = COALESCE(due_at, \(dueAt?.milliseconds))
            WHERE realm = \(id.realm) AND `key` = \(id.key) AND \(isAsSeen)
            """) == 1
    }

    package func noteEarlyReport(_ id: SecretID, generation: Int64) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE token SET
                early_reports = CASE WHEN early_generation = \(generation - 1) THEN early_reports + 1 ELSE 1 END,
                early_generation = generation
            WHERE realm = \(id.realm) AND `key` = \(id.key) AND generation = \(generation)
                AND (early_generation IS NULL OR early_generation <> \(generation))
            """) == 1
    }

    // MARK: Notices

    package func abandon(_ id: SecretID, fence: Int64, extraCalls: Int64, notice: Notice?) throws(StoreError) {
        if extraCalls != 0 {
            try execute(
                """
                UPDATE token SET calls = calls + \(extraCalls)
                WHERE realm = \(id.realm) AND `key` = \(id.key) AND fence = \(fence)
                """)
        }
        if let notice { try execute(insert(notice, of: id)) }
    }

    /// Runs a guarded statement, and stores the notice of what it does together with it or not at all.
    private func execute(with notice: Notice?, of id: SecretID, _ statement: Query) throws(StoreError) -> Bool {
        guard let notice else { return try execute(statement) == 1 }
        return try transaction {
            guard try connection.execute(statement) == 1 else { return false }
            try connection.execute(insert(notice, of: id))
            return true
        }
    }

    func insert(_ notice: Notice, of id: SecretID) -> Query {
        """
        INSERT INTO notice (realm, `key`, event, generation, failure, created_at, next_at)
        VALUES (\(id.realm), \(id.key), \(notice.event.rawValue), \(notice.generation),
            \(notice.failure.map(FailureText.encode)), \(now), \(now))
        """
    }
}
