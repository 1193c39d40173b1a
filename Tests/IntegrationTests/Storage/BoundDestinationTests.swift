import Clocks
import Crypto
import Log
import Recipes
import SQL
import Storage
import TestKit
import Testing
import Tokens

/// Credentials open for the destination that they were entered or confirmed for, whatever the column beside them says.
@Suite struct BoundDestinationTests {
    private static let id = SecretID(realm: "wx", key: "app")
    private static let leadsHere = #"{"url":"https://a.example/token","token_path":"t"}"#
    private static let leadsThere = #"{"url":"https://evil.example/token","token_path":"t"}"#
    private static let here = destination(leadsHere)
    private static let there = destination(leadsThere)

    private static func destination(_ config: String) -> Destination {
        (try? Destination(config: config, logicCode: "")) ?? .nowhere
    }

    /// A realm at `here` with two secrets that were entered for it.
    private final class World {
        let database: TestDatabase
        let connection: any Connection
        private(set) var store: DatabaseStore
        private(set) var faults: [SealFault] = []

        init(_ driver: Driver) throws {
            database = try driver.migratedDatabase()
            connection = try database.connection()
            store = DatabaseStore(connection, keys: MasterKeys.text("old"))
            try use("old")
            _ = try store.write("wx", RealmChange(config: .set(leadsHere)))
            for key in ["app", "two"] {
                let credentials: [String: Change<Redacted<String>>] = ["key_1": .set(Redacted("canary of \(key)"))]
                _ = try store.write(
                    SecretID(realm: "wx", key: key), credentials, discardsToken: false, destination: here)
            }
        }

        func use(_ keys: String...) throws {
            let text = keys.map { MasterKeys.text($0) }.joined(separator: ",")
            let sealer = Sealer(try MasterKeys(parsing: text)) { [unowned self] in faults.append($0) }
            store = DatabaseStore(connection, sealer: sealer)
        }

        func clearFaults() -> [SealFault] {
            defer { faults = [] }
            return faults
        }

        /// What would be sent, and where it may go; nil where nothing is.
        func opened(_ id: SecretID = id) throws -> (credential: String?, destination: Destination?)? {
            do {
                let material = try store.material(id)
                return (material?.credentials["key_1"]?.reveal(), material?.confirmedFor)
            } catch StoreError.quarantined {
                return nil
            }
        }

        /// Puts credentials there as a version before sealed them: bound to the row and its version alone.
        func sealAsBefore(_ key: String, _ credentials: String) throws {
            let version = try connection.rows("SELECT version FROM secret WHERE `key` = \(key)")[0].integer(0)
            var context: [UInt8] = []
            func append(_ number: Int) {
                for shift in stride(from: 56, through: 0, by: -8) {
                    context.append(UInt8(truncatingIfNeeded: number >> shift))
                }
            }
            for part in ["token-server 1", "secret", "wx", key, "credentials"] {
                append(part.utf8.count)
                context += Array(part.utf8)
            }
            append(Int(version))
            let ring = KeyRing(try MasterKeys(parsing: MasterKeys.text("old")))
            let text = try ring.seal(Redacted(credentials), context: context)
            try connection.execute(
                "UPDATE secret SET credentials = \(text), sealed_with = 'old', confirmed_for = NULL WHERE `key` = \(key)"
            )
        }

        func rekey(_ keys: String...) throws -> Program {
            let text = keys.map { MasterKeys.text($0) }.joined(separator: ",")
            return try Program.admin(["rekey"], ["DATABASE_URL": database.url, "MASTER_KEYS": text])
        }
    }

    @Test(arguments: Driver.allCases)
    func `credentials open no more once their destination is changed in the database`(_ driver: Driver) throws {
        let world = try World(driver)
        for change in [
            "confirmed_for = '\(Self.there.text)'", "confirmed_for = 'https://evil.example'",
            "confirmed_for = 'https://a.example'", "confirmed_for = '\(Self.here.text)0'", "confirmed_for = NULL",
            "confirmed_for = ''",
        ] {
            #expect(try #require(try world.opened()).credential == "canary of app")
            #expect(world.faults == [])
            try world.connection.execute("UPDATE realm SET config = \(Self.leadsThere)")
            try world.connection.execute("UPDATE secret SET \(unsafeSQL: change) WHERE `key` = 'app'")
            let upstream = ScriptedUpstream { _ in .minted(Redacted("t"), life: .seconds(7_200)) }
            let decision = Broker(store: world.store, upstream: upstream, clock: SystemClock())
                .decide(Self.id, wish: .flush, deadline: nil)
            guard case .refuse(.upstream(let failure, _)) = decision else {
                Issue.record("\(change): \(decision)")
                return
            }
            #expect(failure.kind == .quarantined)
            #expect(upstream.calls == 0, "\(change)")
            #expect(world.faults.contains { $0.column == "secret.credentials" && $0.reason == .notAuthentic })
            #expect(try world.store.secret(Self.id)?.isQuarantined == true)
            // What is put back as it was opens again; nobody else was harmed.
            try world.connection.execute("UPDATE secret SET confirmed_for = \(Self.here.text) WHERE `key` = 'app'")
            #expect(try #require(try world.opened(SecretID(realm: "wx", key: "two"))).destination == Self.here)
            _ = try world.opened()
            try world.connection.execute("UPDATE token SET retry_at = NULL, retry_class = NULL, failure = NULL")
            try world.use("old")
            _ = world.clearFaults()
        }
    }

    @Test(arguments: Driver.allCases)
    func `no mark makes text open for what it was not sealed for`(_ driver: Driver) throws {
        let world = try World(driver)
        let text = try world.connection.rows("SELECT credentials FROM secret WHERE `key` = 'app'")[0].text(0)
        #expect(text.hasPrefix("3:"))
        for forged in [
            String(text.dropFirst(2)), "3:" + text, "2:" + text, "2:" + text.dropFirst(2), "1:" + text.dropFirst(2),
        ] {
            try world.connection.execute("UPDATE secret SET credentials = \(forged) WHERE `key` = 'app'")
            #expect(try world.opened() == nil, "\(forged)")
        }
        try world.sealAsBefore("app", #"{"key_1":"before"}"#)
        #expect(try world.opened()?.credential == "before")
        let before = try world.connection.rows("SELECT credentials FROM secret WHERE `key` = 'app'")[0].text(0)
        for mark in ["2:", "3:"] {
            try world.connection.execute("UPDATE secret SET credentials = \(mark + before) WHERE `key` = 'app'")
            #expect(try world.opened() == nil)
        }
    }

    @Test(arguments: Driver.allCases)
    func `a confirmation binds credentials to the new place, and a later one takes the old place away`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        #expect(try world.store.confirmSecrets(of: "wx", Self.there) == 2)
        let confirmed = try #require(try world.opened())
        #expect(confirmed == ("canary of app", Self.there))
        try world.connection.execute("UPDATE secret SET confirmed_for = \(Self.here.text) WHERE `key` = 'app'")
        #expect(try world.opened() == nil)
        // What does not open is confirmed for nothing.
        #expect(try world.store.confirmSecrets(of: "wx", Self.there) == 0)
        #expect(try world.opened() == nil)
        let credentials: [String: Change<Redacted<String>>] = ["key_1": .set(Redacted("again"))]
        _ = try world.store.write(Self.id, credentials, discardsToken: false, destination: Self.here)
        #expect(try #require(try world.opened()) == ("again", Self.here))
    }

    @Test(arguments: Driver.allCases)
    func `credentials of a secret whose key is away are confirmed for nothing, and open when it is back`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        try world.use("new")
        #expect(try world.store.confirmSecrets(of: "wx", Self.there) == 0)
        try world.use("new", "old")
        #expect(try #require(try world.opened()) == ("canary of app", Self.here))
        #expect(try world.store.confirmSecrets(of: "wx", Self.there) == 2)
        try world.use("new")
        #expect(try #require(try world.opened()) == ("canary of app", Self.there))
    }

    /// Only a database in which others write meanwhile has this case.
    @Test func `a confirmation that is overtaken by rekey begins again, and all of it is done`() throws {
        let world = try World(.mariaDB)
        let connection = HookedConnection(try world.database.connection())
        let store = DatabaseStore(connection, keys: MasterKeys.text("new", "old"))
        let keys = try MasterKeys(parsing: MasterKeys.text("new", "old"))
        let other = try world.database.connection()
        var resealed: [Int] = []
        connection.beforeExecuting = { query in
            guard query.text.hasPrefix("UPDATE secret "), resealed.isEmpty else { return }
            resealed = (try? Rekeying(other, keys).run().map(\.resealed)) ?? []
        }
        #expect(try store.confirmSecrets(of: "wx", Self.there) == 2)
        #expect(resealed.first == 2)
        try world.use("new")
        for key in ["app", "two"] {
            let opened = try #require(try world.opened(SecretID(realm: "wx", key: key)))
            #expect(opened == ("canary of \(key)", Self.there))
        }
    }

    /// What rekey has read is bound to where it led; whoever confirms another place meanwhile has won.
    @Test(arguments: Driver.allCases)
    func `rekey that is overtaken by a confirmation leaves what was confirmed`(_ driver: Driver) throws {
        let world = try World(driver)
        let connection = HookedConnection(try world.database.connection())
        var confirmed = 0
        connection.beforeExecuting = { query in
            guard query.text.hasPrefix("UPDATE secret "), confirmed == 0 else { return }
            confirmed = (try? world.store.confirmSecrets(of: "wx", Self.there)) ?? 0
        }
        let counts = try Rekeying(connection, MasterKeys(parsing: MasterKeys.text("new", "old"))).run()
        #expect(confirmed == 2)
        #expect(counts.first?.remaining == 0)
        try world.use("new")
        for key in ["app", "two"] {
            let opened = try #require(try world.opened(SecretID(realm: "wx", key: key)))
            #expect(opened == ("canary of \(key)", Self.there))
        }
    }

    /// A server without the key cannot seal anew what it confirms: `confirmed_for` alone tells of it.
    @Test(arguments: Driver.allCases)
    func `rekey that is overtaken by a confirmation at a server without the key leaves what was confirmed`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        try world.sealAsBefore("app", #"{"key_1":"before"}"#)
        let blind = DatabaseStore(world.connection, keys: MasterKeys.text("new"))
        let connection = HookedConnection(try world.database.connection())
        var confirmed = 0
        connection.beforeExecuting = { query in
            guard query.text.hasPrefix("UPDATE secret "), confirmed == 0 else { return }
            confirmed = (try? blind.confirmSecrets(of: "wx", Self.there)) ?? 0
        }
        var options = Rekeying.Options()
        options.destination = { try Destination(config: $0, logicCode: $1) }
        let counts = try Rekeying(connection, MasterKeys(parsing: MasterKeys.text("old")), options).run()
        #expect(confirmed == 1)
        #expect(counts.first?.remaining == 0)
        #expect(try #require(try world.opened()) == ("before", Self.there))
    }

    // MARK: Credentials from before

    @Test(arguments: Driver.allCases)
    func `what a version before has sealed is used, and rekey binds it to where its realm leads`(_ driver: Driver)
        throws
    {
        let world = try World(driver)
        try world.sealAsBefore("app", #"{"key_1":"before"}"#)
        #expect(try #require(try world.opened()) == ("before", nil))
        let run = try world.rekey("old")
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(run.output.contains("secret.credentials: 1 resealed, 0 in clear sealed, 0 quarantined\n"))
        #expect(try #require(try world.opened()) == ("before", Self.here))
        #expect(try world.rekey("old").output.contains("secret.credentials: 0 resealed"))
        try world.connection.execute("UPDATE secret SET confirmed_for = NULL")
        #expect(try world.opened() == nil)
    }

    @Test(arguments: Driver.allCases)
    func `what a version before has sealed is bound by an administrator's write, and by a realm that moves`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        for key in ["app", "two"] { try world.sealAsBefore(key, #"{"key_1":"before"}"#) }
        _ = try world.store.write(
            Self.id, ["key_2": .set(Redacted("more"))], discardsToken: false, destination: Self.here)
        #expect(try #require(try world.opened()) == ("before", Self.here))
        let moved = RealmChange(config: .set(Self.leadsThere), formerDestination: Self.here)
        _ = try world.store.write("wx", moved)
        let two = SecretID(realm: "wx", key: "two")
        #expect(try #require(try world.opened(two)) == ("before", Self.here))
        try world.connection.execute("UPDATE secret SET confirmed_for = \(Self.there.text)")
        #expect(try world.opened(two) == nil)
        #expect(try world.opened() == nil)
    }

    // MARK: Values in clear

    @Test(arguments: Driver.allCases)
    func `a value in clear is used and reported, in every sealed column`(_ driver: Driver) throws {
        let world = try World(driver)
        _ = try world.store.write("wx", RealmChange(noticeKey: .set(Redacted("notice"))))
        try world.connection.execute("UPDATE secret SET credentials = '{}', sealed_with = NULL WHERE `key` = 'app'")
        try world.connection.execute(
            """
            UPDATE token SET token = 'canary', sealed_with = NULL, generation = 1, refresh_token = 'canary',
                refresh_token_sealed_with = NULL, refresh_token_for = 0 WHERE `key` = 'app'
            """)
        try world.connection.execute("UPDATE secret SET refresh_version = 0")
        guard case .found(let snapshot) = try world.store.read(Self.id, clock: SystemClock()) else {
            Issue.record("it is found")
            return
        }
        #expect(snapshot.row.token?.reveal() == "canary")
        #expect(try world.store.material(Self.id)?.refreshToken?.reveal() == "canary")
        let found = world.clearFaults()
        #expect(found.map(\.column) == ["token.token", "secret.credentials", "token.refresh_token"])
        #expect(
            found.allSatisfy { $0.reason == .inClear && $0.sealedWith == "" && $0.key == "app" && $0.realm == "wx" })
        #expect(!"\(found)".contains("canary"))
        // Once it is sealed there is nothing to report.
        #expect(try world.rekey("old").status == 0)
        _ = try world.store.read(Self.id, clock: SystemClock())
        _ = try world.store.material(Self.id)
        #expect(world.faults == [])
    }
}
