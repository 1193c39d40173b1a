import Clocks
import Crypto
import SQL
import Storage
import Testing
import Tokens

/// A row of `api_key` that this service has not made, or not so, opens nothing.
@Suite struct SignedKeyTests {
    private static let grant = KeyGrant(
        id: "0123456789abcdef", digest: [UInt8](0..<32), role: .reader,
        scope: Scope(realms: ["a"], secrets: [SecretID(realm: "b", key: "c")]), addresses: ["203.0.113.9"],
        expiresAt: Timestamp(milliseconds: 253_402_300_799_999))
    private static let other = KeyGrant(id: "fedcba9876543210", digest: [UInt8](1...32), role: .administrator)

    /// A database with both keys, and what was reported of it.
    private final class World {
        let database: TestDatabase
        let connection: any Connection
        private(set) var store: DatabaseStore
        private(set) var faults: [SealFault] = []

        init(_ driver: Driver, keys: String = MasterKeys.text("old")) throws {
            database = try driver.migratedDatabase()
            connection = try database.connection()
            store = DatabaseStore(connection, keys: keys)
            try use(keys)
            for grant in [grant, other] { _ = try store.create(grant, comment: "", by: "bootstrap") }
        }

        func use(_ keys: String) throws {
            let sealer = Sealer(try MasterKeys(parsing: keys)) { [unowned self] in faults.append($0) }
            store = DatabaseStore(connection, sealer: sealer)
        }

        /// What the key grants, by both ways to ask; they must agree.
        func granted(_ id: String = grant.id) throws -> KeyGrant? {
            let alone = try store.grant(id)?.grant
            let withToken = try store.read(SecretID(realm: "a", key: "b"), keyID: id, clock: SystemClock()).key?.grant
            #expect(alone == withToken)
            return alone
        }

        func takeFaults() -> [SealFault] {
            defer { faults = [] }
            return faults
        }

        func admin(_ arguments: [String], keys: String? = MasterKeys.text("old")) throws -> (Int32, [String]) {
            var environment = ["DATABASE_URL": database.url]
            environment["MASTER_KEYS"] = keys
            let run = try Program.admin(arguments, environment)
            return (run.status, run.output.split(separator: "\n").map(String.init))
        }
    }

    @Test(arguments: Driver.allCases)
    func `a key opens nothing once any column that it is signed for is changed`(_ driver: Driver) throws {
        let world = try World(driver)
        for change in [
            "role = 'admin'", "scope = NULL", "scope = '{\"realms\":[\"a\",\"z\"],\"secrets\":[]}'", "scope = 'canary'",
            "addresses = NULL", "addresses = '[\"198.51.100.1\"]'", "addresses = 'canary'", "expires_at = NULL",
            "expires_at = expires_at + 1", "created_at = created_at - 1",
            "digest = '\(String(repeating: "0", count: 64))'",
            "digest = 'canary'", "role = 'canary'", "signature = '\(String(repeating: "0", count: 64))'",
            "signature = ''", "signature = NULL", "signed_with = 'lost'", "signed_with = NULL", "signed_with = ''",
        ] {
            let row = try world.connection.rows("SELECT * FROM api_key WHERE id = \(Self.grant.id)")
            #expect(try world.granted() == Self.grant)
            #expect(world.takeFaults() == [])
            try world.connection.execute("UPDATE api_key SET \(unsafeSQL: change) WHERE id = \(Self.grant.id)")
            #expect(try world.connection.rows("SELECT * FROM api_key WHERE id = \(Self.grant.id)") != row)
            #expect(try world.granted() == nil, "\(change)")
            let faults = world.takeFaults()
            #expect(faults.map(\.key) == [Self.grant.id, Self.grant.id], "\(change)")
            #expect(faults.allSatisfy { $0.column == "api_key.signature" && !"\($0)".contains("canary") })
            // An administrator sees it, and that it opens nothing; the others go on.
            let listed = try world.store.keys(Page(number: 1, size: 10)).elements
            #expect(listed.count == 2)
            for key in listed { #expect(key.isQuarantined == (key.grant.id == Self.grant.id), "\(change)") }
            #expect(try world.granted(Self.other.id) == Self.other)
            #expect(try world.store.deleteKey(Self.grant.id))
            _ = try world.store.create(Self.grant, comment: "", by: "bootstrap")
            _ = world.takeFaults()
        }
    }

    @Test(arguments: Driver.allCases)
    func `what is for people to read, and the last use, may change`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.connection.execute("UPDATE api_key SET comment = 'c', created_by = 'x'")
        try world.store.noteUse(ofKey: Self.grant.id, at: Timestamp(milliseconds: 5))
        #expect(try world.granted()?.role == .reader)
        #expect(world.faults == [])
    }

    @Test(arguments: Driver.allCases)
    func `a key that somebody else made, or a signature of another key, opens nothing`(_ driver: Driver) throws {
        let world = try World(driver)
        let genuine = try world.connection.rows("SELECT digest, signature FROM api_key WHERE id = \(Self.other.id)")[0]
        let signatures: [(id: String?, code: String?)] = [
            ("old", try genuine.text(1)), ("lost", try genuine.text(1)), (nil, nil),
        ]
        for (number, signature) in signatures.enumerated() {
            try world.connection.execute(
                """
                INSERT INTO api_key (id, digest, role, comment, created_at, created_by, signed_with, signature)
                VALUES (\("000000000000000\(number)"), \(try genuine.text(0)), 'admin', '', 1, 'bootstrap',
                    \(signature.id), \(signature.code))
                """)
            #expect(try world.granted("000000000000000\(number)") == nil)
        }
        #expect(
            world.faults.map(\.reason) == [
                .notAuthentic, .notAuthentic, .unknownKey, .unknownKey, .unsigned, .unsigned,
            ])
    }

    // MARK: Rotation

    @Test(arguments: Driver.allCases)
    func `rekey signs genuine rows under the first key, and names the others`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.connection.execute("UPDATE api_key SET role = 'admin' WHERE id = \(Self.grant.id)")
        let keys = MasterKeys.text("new", "old")
        let forged = #"quarantined: api_key.signature of key "0123456789abcdef", sealed with "old": not authentic"#
        let dry = try world.admin(["rekey", "--dry-run"], keys: keys)
        #expect(dry.0 == 1)
        #expect(dry.1.contains("api_key.signature: 1 would be signed anew, 1 quarantined"))
        #expect(dry.1.contains(forged))
        try world.use(MasterKeys.text("new"))
        #expect(try world.granted(Self.other.id) == nil, "a dry run changes nothing")
        for count in [1, 0] {
            let run = try world.admin(["rekey", "--batch", "1"], keys: keys)
            #expect(run.0 == 1)
            #expect(run.1.contains("api_key.signature: \(count) signed anew, 1 quarantined"))
            #expect(run.1.contains(forged))
        }
        #expect(try world.granted(Self.other.id) == Self.other)
        #expect(try world.granted() == nil)
        #expect(try world.store.deleteKey(Self.grant.id))
        let clean = try world.admin(["rekey"], keys: keys)
        #expect(clean.0 == 0)
        #expect(clean.1.last == "every sealed value is under new")
    }

    // MARK: Rows from before there were signatures

    /// A database of the version before, with one key.
    private func older(_ driver: Driver) throws -> World {
        let world = try World(driver)
        for column in ["signature", "signed_with"] {
            try world.connection.execute("ALTER TABLE api_key DROP COLUMN \(unsafeSQL: column)")
        }
        try world.connection.execute("DELETE FROM schema_migration WHERE number = 9")
        try world.connection.execute("DELETE FROM api_key WHERE id = \(Self.other.id)")
        return world
    }

    private static let warning =
        "API keys that open nothing because nobody has signed them: 1; look at them with token-server-admin keys sign --dry-run, then sign them with token-server-admin keys sign"

    @Test(arguments: Driver.allCases)
    func `no key is made an administrator's by a database that says it is of the version before`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        try world.connection.execute(
            """
            UPDATE api_key SET role = 'admin', scope = NULL, signature = NULL, signed_with = NULL
            WHERE id = \(Self.grant.id)
            """)
        try world.connection.execute("DELETE FROM schema_migration WHERE number = 9")
        #expect(try world.admin(["migrate"]) == (0, ["migration 9 (signatures): done", Self.warning]))
        #expect(try world.granted() == nil)
        #expect(try world.granted(Self.other.id) == Self.other)
    }

    @Test(arguments: Driver.allCases)
    func `nothing but the operator's word signs a row later`(_ driver: Driver) throws {
        let world = try older(driver)
        #expect(try world.admin(["migrate"]) == (0, ["migration 9 (signatures): done", Self.warning]))
        try world.use(MasterKeys.text("old"))
        for _ in 0..<2 {
            #expect(try world.admin(["migrate"]) == (0, ["the schema is up to date", Self.warning]))
            #expect(try world.granted() == nil)
        }
        let rekey = try world.admin(["rekey"])
        #expect(rekey.0 == 1)
        #expect(rekey.1.contains(#"quarantined: api_key.signature of key "0123456789abcdef": not signed"#))
        #expect(try world.granted() == nil)
        let dry = try world.admin(["keys", "sign", "--dry-run"])
        #expect(dry.0 == 0)
        #expect(dry.1.first?.hasSuffix(": would be signed") == true)
        #expect(try world.granted() == nil)
        let made = Timestamp(
            milliseconds: try world.connection.rows("SELECT created_at FROM api_key")[0].integer(0)
        ).iso8601
        let line = #"API key 0123456789abcdef ("reader", made \#(made) by "bootstrap"): signed"#
        #expect(try world.admin(["keys", "sign"]) == (0, [line]))
        #expect(try world.granted() == Self.grant)
        #expect(try world.admin(["keys", "sign"]) == (0, ["every API key is signed"]))
        // A signature that is not ours is not replaced.
        try world.connection.execute("UPDATE api_key SET role = 'admin'")
        #expect(try world.admin(["keys", "sign"]) == (0, ["every API key is signed"]))
        #expect(try world.granted() == nil)
    }
}
