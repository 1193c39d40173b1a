import Clocks
import Crypto
import Log
import SQL
import Storage
import TestKit
import Testing
import Tokens

/// What lies in the database is sealed for its place.
@Suite struct SealingTests {
    private static let id = SecretID(realm: "wx", key: "app")

    /// A realm, two secrets and a token each, with a canary in every sealed column.
    private struct World {
        let connection: any Connection
        let store: DatabaseStore

        init(_ driver: Driver, keys: String = MasterKeys.text("old")) throws {
            connection = try driver.migratedDatabase().connection()
            store = DatabaseStore(connection, keys: keys)
            for realm in ["wx", "other"] {
                let change = RealmChange(config: .set("{}"), noticeKey: .set(Redacted("canary notice key of \(realm)")))
                _ = try store.write(realm, change)
            }
            for id in [SealingTests.id, SecretID(realm: "wx", key: "two"), SecretID(realm: "other", key: "app")] {
                _ = try store.write(id, ["key_1": .set(Redacted("canary credential of \(id)"))])
                try mint(id, "canary token of \(id)", refreshToken: "canary refresh token of \(id)")
            }
        }

        func mint(_ id: SecretID, _ token: String, refreshToken: String?) throws {
            let upstream = ScriptedUpstream { _ in
                .minted(Redacted(token), life: .seconds(7_200), refreshToken: refreshToken.map { Redacted($0) })
            }
            let decision = broker(upstream).decide(id, wish: .flush, deadline: nil)
            guard case .answer(let answer) = decision, answer.source == .upstream else {
                Issue.record("no token was minted: \(decision)")
                return
            }
        }

        func broker(_ upstream: ScriptedUpstream) -> Broker {
            Broker(store: store, upstream: upstream, clock: SystemClock())
        }

        func token(_ id: SecretID = SealingTests.id) throws -> String? {
            guard case .found(let snapshot) = try store.read(id, clock: SystemClock()) else { return nil }
            return snapshot.row.token?.reveal()
        }

        /// The text and the key of a sealed column.
        func stored(_ table: String, _ column: String, _ sealedWith: String, _ condition: String) throws -> [Value] {
            let rows = try connection.rows(
                "SELECT \(unsafeSQL: column), \(unsafeSQL: sealedWith) FROM \(unsafeSQL: table) WHERE \(unsafeSQL: condition)"
            )
            return try #require(rows.first).values
        }
    }

    @Test(arguments: Driver.allCases)
    func `nothing lies in clear, and everything opens where it lies`(_ driver: Driver) throws {
        let world = try World(driver)
        for table in ["realm", "secret", "token", "notice"] {
            let rows = try world.connection.rows("SELECT * FROM \(unsafeSQL: table)")
            #expect(!"\(rows)".contains("canary"), "\(table)")
        }
        #expect(try world.token() == "canary token of \(Self.id)")
        let material = try #require(try world.store.material(Self.id))
        #expect(material.credentials["key_1"]?.reveal() == "canary credential of \(Self.id)")
        #expect(material.refreshToken?.reveal() == "canary refresh token of \(Self.id)")
        #expect(try world.store.secret(Self.id)?.credentialNames == ["key_1"])
        #expect(try world.store.probeKeys() == KeyHealth(known: 3))
    }

    @Test(
        arguments: Driver.allCases,
        [
            (
                "UPDATE token SET token = ?, sealed_with = ? WHERE realm = 'wx' AND `key` = 'app'",
                "token.realm = 'wx' AND token.`key` = 'two'"
            ),
            (
                "UPDATE token SET token = ?, sealed_with = ? WHERE realm = 'wx' AND `key` = 'app'",
                "token.realm = 'other'"
            ),
        ])
    func `a token that is moved from another row is none`(_ driver: Driver, _ move: (String, String)) throws {
        let world = try World(driver)
        let values = try world.stored("token", "token", "sealed_with", move.1)
        try world.connection.execute(Query(unsafeSQL: move.0, arguments: values))
        #expect(try world.token() == nil)
        #expect(try world.token(SecretID(realm: "other", key: "app")) != nil)
    }

    @Test(arguments: Driver.allCases)
    func `a value of another column or version does not open`(_ driver: Driver) throws {
        let world = try World(driver)
        let here = "realm = 'wx' AND `key` = 'app'"
        let old = try world.stored("token", "token", "sealed_with", here)
        let credentials = try world.stored("secret", "credentials", "sealed_with", here)
        try world.connection.execute("UPDATE token SET minted_at = 1, next_mint_at = 1")
        try world.mint(Self.id, "canary second", refreshToken: nil)
        #expect(try world.token() == "canary second")
        try world.connection.execute(
            "UPDATE token SET token = \(old[0]), sealed_with = \(old[1]) WHERE \(unsafeSQL: here)")
        #expect(try world.token() == nil, "an older version")
        let refresh = try world.stored("token", "refresh_token", "refresh_token_sealed_with", here)
        try world.connection.execute(
            "UPDATE token SET token = \(refresh[0]), sealed_with = \(refresh[1]), generation = 1 WHERE \(unsafeSQL: here)"
        )
        #expect(try world.token() == nil, "another column of the same version")

        _ = try world.store.write(Self.id, ["key_2": .set(Redacted("x"))])
        try world.connection.execute(
            "UPDATE secret SET credentials = \(credentials[0]), sealed_with = \(credentials[1]) WHERE \(unsafeSQL: here)"
        )
        #expect { try world.store.material(Self.id) } throws: { error in
            if case StoreError.quarantined = error { true } else { false }
        }
    }

    @Test(arguments: Driver.allCases)
    func `what is in clear is read, and the next write seals it`(_ driver: Driver) throws {
        let world = try World(driver)
        let here = "realm = 'wx' AND `key` = 'app'"
        try world.connection.execute(
            """
            UPDATE secret SET credentials = '{"key_1":"clear"}', sealed_with = NULL WHERE \(unsafeSQL: here)
            """)
        try world.connection.execute(
            """
            UPDATE token SET token = 'clear token', sealed_with = NULL, refresh_token = 'clear refresh',
                refresh_token_sealed_with = NULL WHERE \(unsafeSQL: here)
            """)
        #expect(try world.token() == "clear token")
        let material = try #require(try world.store.material(Self.id))
        #expect(material.credentials["key_1"]?.reveal() == "clear")
        #expect(material.refreshToken?.reveal() == "clear refresh")
        _ = try world.store.write(Self.id, ["key_2": .set(Redacted("more"))])
        try world.connection.execute("UPDATE token SET minted_at = 1, next_mint_at = 1")
        try world.mint(Self.id, "next token", refreshToken: "next refresh")
        let rows = try world.connection.rows("SELECT * FROM secret") + world.connection.rows("SELECT * FROM token")
        for text in ["clear", "more", "next"] { #expect(!"\(rows)".contains(text)) }
        #expect(try world.store.material(Self.id)?.credentials.count == 2)
    }

    // MARK: Quarantine

    @Test(arguments: Driver.allCases)
    func `credentials that do not open are a failure of their own, which entering them again heals`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        try world.connection.execute("UPDATE token SET minted_at = 1, next_mint_at = 1")
        try world.connection.execute("UPDATE secret SET credentials = 'AAAA' WHERE realm = 'wx' AND `key` = 'app'")
        let upstream = ScriptedUpstream { _ in .minted(Redacted("new token"), life: .seconds(7_200)) }
        let broker = world.broker(upstream)

        guard case .answer(let stale) = broker.decide(Self.id, wish: .flush, deadline: nil) else {
            Issue.record("the token that lives is served")
            return
        }
        #expect(stale.isStale)
        #expect(stale.token.reveal() == "canary token of \(Self.id)")
        try world.connection.execute("UPDATE token SET expires_at = 1 WHERE realm = 'wx' AND `key` = 'app'")
        for _ in 0..<2 {
            guard
                case .refuse(.upstream(let failure, _)) = broker.decide(
                    Self.id, wish: .token(minimumLife: nil), deadline: nil)
            else {
                Issue.record("it is refused")
                return
            }
            #expect(failure.kind == .quarantined)
            #expect(failure.detail.contains("key app in realm wx"))
        }
        #expect(upstream.calls == 0)
        #expect(try world.store.probeKeys() == KeyHealth(known: 3, quarantined: 1))
        let ledger = try world.connection.rows(
            "SELECT holder, lease_until FROM token WHERE realm = 'wx' AND `key` = 'app'")
        #expect(ledger.first?.values == [.null, .null], "no lease is left behind")
        #expect(try world.store.secret(Self.id)?.isQuarantined == true)
        #expect(try world.store.secrets(Page(number: 1, size: 10), realm: nil).total == 3)

        _ = try world.store.write(Self.id, ["key_1": .set(Redacted("again"))])
        guard case .answer(let healed) = broker.decide(Self.id, wish: .token(minimumLife: nil), deadline: nil) else {
            Issue.record("it is healed")
            return
        }
        #expect(healed.token.reveal() == "new token")
        #expect(try world.store.probeKeys() == KeyHealth(known: 3))
    }

    @Test(arguments: Driver.allCases)
    func `nothing but new credentials replaces what does not open, and a key that comes back opens it`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        let keyless = DatabaseStore(world.connection, keys: MasterKeys.text("new"))
        for isDiscard in [false, true] {
            let unchanged = try keyless.write(Self.id, ["key_9": .clear], discardsToken: isDiscard)
            #expect(unchanged?.isQuarantined == true)
        }
        #expect(throws: StoreError.self) { try keyless.material(Self.id) }
        #expect(try keyless.probeKeys() == KeyHealth(unknown: 3, unknownIDs: ["old"]))
        #expect(try world.store.probeKeys().quarantined == 1)
        #expect(try world.store.material(Self.id)?.credentials.count == 1)
        #expect(try world.store.probeKeys().quarantined == 0)
    }

    @Test(arguments: Driver.allCases)
    func `a token that does not open is fetched again`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.connection.execute("UPDATE token SET token = 'AAAA' WHERE realm = 'wx' AND `key` = 'app'")
        let upstream = ScriptedUpstream { _ in .minted(Redacted("fetched"), life: .seconds(7_200)) }
        guard
            case .answer(let answer) = world.broker(upstream).decide(
                Self.id, wish: .token(minimumLife: nil), deadline: nil)
        else {
            Issue.record("a token is fetched")
            return
        }
        #expect(answer.token.reveal() == "fetched")
        #expect(answer.generation == 2)
        #expect(upstream.calls == 1)
        #expect(try world.token() == "fetched")
    }

    /// An older refresh token may be spent; a provider that sees it again ends them all.
    @Test(arguments: Driver.allCases)
    func `a refresh token that does not open is not replaced by an older one`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.connection.execute("UPDATE token SET refresh_token = 'AAAA' WHERE realm = 'wx' AND `key` = 'app'")
        #expect(throws: StoreError.self) { try world.store.material(Self.id) }
        _ = try world.store.write(Self.id, ["refresh_token": .set(Redacted("entered again"))])
        let material = try #require(try world.store.material(Self.id))
        #expect(material.refreshToken == nil)
        #expect(material.credentials["refresh_token"]?.reveal() == "entered again")
    }

    @Test(arguments: Driver.allCases)
    func `a refresh token under an older key opens beside a token under the newer one`(_ driver: Driver) throws {
        let world = try World(driver)
        let rotated = DatabaseStore(world.connection, keys: MasterKeys.text("new", "old"))
        try world.connection.execute("UPDATE token SET expires_at = 1, minted_at = 1, next_mint_at = 1")
        let upstream = ScriptedUpstream { _ in .minted(Redacted("by the new key"), life: .seconds(7_200)) }
        _ = Broker(store: rotated, upstream: upstream, clock: SystemClock())
            .decide(Self.id, wish: .token(minimumLife: nil), deadline: nil)
        let here = "realm = 'wx' AND `key` = 'app'"
        #expect(try world.stored("token", "token", "sealed_with", here)[1] == .text("new"))
        #expect(try world.stored("token", "refresh_token", "refresh_token_sealed_with", here)[1] == .text("old"))
        #expect(try rotated.material(Self.id)?.refreshToken?.reveal() == "canary refresh token of \(Self.id)")
    }

    @Test(arguments: Driver.allCases)
    func `a notice whose key does not open waits for it`(_ driver: Driver) throws {
        let world = try World(driver)
        _ = try world.store.write("wx", RealmChange(policy: .set("{\"notice_url\":\"https://n.example/\"}")))
        try world.connection.execute("UPDATE token SET minted_at = 1, next_mint_at = 1")
        try world.mint(Self.id, "told", refreshToken: nil)
        let target = try world.store.pendingNotices(limit: 10).notices.first?.target
        #expect(target?.key?.reveal() == "canary notice key of wx")
        try world.connection.execute("UPDATE realm SET notice_key_version = notice_key_version + 1")
        let closed = try world.store.pendingNotices(limit: 10).notices.first
        #expect(closed?.target == NoticeTarget(url: "https://n.example/", key: nil))
    }

    // MARK: Names

    /// `utf8mb4_bin` takes no notice of spaces at the end.
    @Test(arguments: Driver.allCases)
    func `names are compared byte by byte, spaces at their end included`(_ driver: Driver) throws {
        let world = try World(driver)
        for id in [SecretID(realm: "wx", key: "app "), SecretID(realm: "wx ", key: "app")] {
            if case .found = try world.store.read(id, clock: SystemClock()) { Issue.record("\(id) was found") }
            #expect(try world.store.secret(id) == nil)
        }
        // What a migration brought keeps its name.
        try world.connection.execute("UPDATE secret SET `key` = 'two ' WHERE `key` = 'two'")
        try world.connection.execute(
            "UPDATE token SET `key` = 'two ', token = NULL, refresh_token = NULL WHERE `key` = 'two'")
        let legacy = SecretID(realm: "wx", key: "two ")
        _ = try world.store.write(legacy, ["key_1": .set(Redacted("legacy"))])
        #expect(try world.store.material(legacy)?.credentials["key_1"]?.reveal() == "legacy")
    }
}
