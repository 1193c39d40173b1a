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
        ["clock", "realm.recipe_version", "realm.config and logic_code", "secret.version"] + TokenColumns.qualifiedNames

    package func read(_ id: SecretID, clock: any Clock) throws(StoreError) -> Lookup {
        let asked = clock.now()
        let found = try rows(
            """
            SELECT \(now), realm.recipe_version,
                CASE WHEN realm.config IS NOT NULL OR realm.logic_code <> '' THEN 1 ELSE 0 END,
                secret.version, \(unsafeSQL: TokenColumns.list)
            FROM realm
                LEFT JOIN secret ON secret.realm = realm.id AND secret.`key` = \(id.key)
                LEFT JOIN token ON token.realm = secret.realm AND token.`key` = secret.`key`
            WHERE realm.id = \(id.realm)
            """)
        guard let row = found.first else { return .unknownRealm }
        var columns = ColumnReader(row, Self.lookupColumns)
        let now = try columns.instant()
        let realmVersion = try columns.integer()
        let hasUpstream = try columns.integer() != 0
        guard let secretVersion = try columns.optionalInteger() else { return .unknownSecret }
        return .found(
            Snapshot(
                row: try TokenColumns.read(&columns), version: Version(realm: realmVersion, secret: secretVersion),
                hasUpstream: hasUpstream, now: now, asked: asked))
    }

    package func material(_ id: SecretID) throws(StoreError) -> Material? {
        let found = try rows(
            """
            SELECT realm.recipe_version, realm.config, realm.logic_code,
                secret.version, secret.sealed_with, secret.credentials
            FROM realm INNER JOIN secret ON secret.realm = realm.id
            WHERE realm.id = \(id.realm) AND secret.`key` = \(id.key)
            """)
        guard let row = found.first else { return nil }
        var columns = ColumnReader(
            row,
            [
                "realm.recipe_version", "realm.config", "realm.logic_code", "secret.version", "secret.sealed_with",
                "secret.credentials",
            ])
        let realmVersion = try columns.integer()
        let config = try columns.optionalText()
        let logicCode = try columns.text()
        let version = Version(realm: realmVersion, secret: try columns.integer())
        try columns.requireUnsealed()
        return Material(
            id: id, version: version, config: config, logicCode: logicCode,
            credentials: try CredentialsText.decode(try columns.text()))
    }

    package func take(_ id: SecretID, _ lease: LeaseRequest) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE token SET doubts = \(lease.doubts), dies_at = \(lease.diesAt?.milliseconds), fails = \(lease.fails),
                fence = fence + 1, holder = \(lease.holder), reason = \(lease.reason.rawValue),
                taken_at = \(now), lease_until = \(now) + \(lease.lease.wholeMilliseconds)
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
        return try execute(
            """
            UPDATE token SET next_mint_at = \(nextMint),
                token = \(mint.token.reveal()), sealed_with = NULL, expires_at = \(mint.expiresAt?.milliseconds),
                generation = generation + \(step), minted_at = \(mint.look.milliseconds),
                minted_for_realm = \(mint.version.realm), minted_for_secret = \(mint.version.secret),
                doubts = CASE WHEN marks = \(mint.marksAtLook) THEN 0 ELSE 1 END,
                dies_at = CASE WHEN marks = \(mint.marksAtLook) THEN NULL ELSE \(diesAt) END,
                retry_at = NULL, retry_class = NULL, retry_for_realm = NULL, retry_for_secret = NULL, failure = NULL,
                fails = 0, holder = NULL, reason = NULL, taken_at = NULL, lease_until = NULL
            WHERE realm = \(id.realm) AND `key` = \(id.key)
                AND fence = \(mint.fence) AND generation = \(mint.generation)
            """) == 1
    }

    package func release(_ id: SecretID, _ release: LeaseRelease) throws(StoreError) -> Bool {
        let pause: Query =
            if let pause = release.pause {
                """
                , retry_at = \(now) + \(pause.length.wholeMilliseconds),
                retry_class = \(pause.failure.failureClass.rawValue),
                retry_for_realm = \(pause.version.realm), retry_for_secret = \(pause.version.secret),
                failure = \(FailureText.encode(pause.failure)), fails = fails + 1
                """
            } else {
                ""
            }
        return try execute(
            """
            UPDATE token SET holder = NULL, reason = NULL, taken_at = NULL, lease_until = NULL\(pause)
            WHERE realm = \(id.realm) AND `key` = \(id.key)
                AND fence = \(release.fence) AND lease_until IS NOT NULL
            """) == 1
    }

    package func mark(_ id: SecretID, _ mark: LateMintMark) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE token SET dies_at = \(mark.diesAt.milliseconds), doubts = doubts + 1, marks = marks + 1
            WHERE realm = \(id.realm) AND `key` = \(id.key)
                AND fence <> \(mark.mine) AND marks = \(mark.marks) AND minted_at < \(mark.mintedBefore.milliseconds)
            """) == 1
    }
}
