import Clocks
import Crypto
import Log
import SQL
import Storage
import TestKit
import Testing
import Tokens

/// `token-server-admin rekey`, and the same work step by step.
@Suite struct RekeyTests {
    private static func id(_ number: Int) -> SecretID { SecretID(realm: "wx", key: "app-\(number)") }

    /// A database with so many secrets, each with a token and a refresh token, and one notice key, all under `old`.
    private static func filled(_ driver: Driver, _ count: Int = 5) throws -> TestDatabase {
        let database = try driver.migratedDatabase()
        let connection = try database.connection()
        defer { connection.close() }
        let store = DatabaseStore(connection, keys: MasterKeys.text("old"))
        _ = try store.write("wx", RealmChange(config: .set("{}"), noticeKey: .set(Redacted("notice"))))
        for number in 0..<count {
            _ = try store.write(id(number), ["key_1": .set(Redacted("credential \(number)"))])
            let upstream = ScriptedUpstream { _ in
                .minted(Redacted("token \(number)"), life: .seconds(7_200), refreshToken: Redacted("refresh \(number)"))
            }
            _ = Broker(store: store, upstream: upstream, clock: SystemClock())
                .decide(id(number), wish: .flush, deadline: nil)
        }
        return database
    }

    private static func content(_ database: TestDatabase) throws -> [[Row]] {
        let connection = try database.connection()
        defer { connection.close() }
        return try ["realm", "secret", "token"].map { try connection.rows("SELECT * FROM \(unsafeSQL: $0)") }
    }

    /// What is wrong with a row for a server that has these keys alone; nil where everything opens.
    private static func trouble(_ store: DatabaseStore, _ number: Int) throws -> String? {
        guard let material = try store.material(id(number)),
            case .found(let snapshot) = try store.read(id(number), clock: SystemClock())
        else { return "gone" }
        let found = [
            material.credentials["key_1"]?.reveal(), material.refreshToken?.reveal(), snapshot.row.token?.reveal(),
        ]
        return found == ["credential \(number)", "refresh \(number)", "token \(number)"] ? nil : "\(found)"
    }

    @Test(arguments: Driver.allCases)
    func `every value comes under the first key, in batches of any size`(_ driver: Driver) throws {
        let database = try Self.filled(driver)
        let environment = ["DATABASE_URL": database.url, "MASTER_KEYS": MasterKeys.text("new", "old")]
        let before = try Self.content(database)
        let dry = try Program.admin(["rekey", "--dry-run"], environment)
        #expect(dry.status == 0, "\(dry.errors)")
        #expect(
            dry.output.contains("secret.credentials: 5 would be resealed, 0 in clear would be sealed, 0 quarantined"))
        #expect(try Self.content(database) == before, "a dry run changes nothing")

        let run = try Program.admin(["rekey", "--batch", "2"], environment)
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(run.errors == "")
        for line in [
            "secret.credentials: 5 resealed, 0 in clear sealed, 0 quarantined",
            "token.token: 5 resealed, 0 in clear sealed, 0 quarantined",
            "token.refresh_token: 5 resealed, 0 in clear sealed, 0 quarantined",
            "realm.notice_key: 1 resealed, 0 in clear sealed, 0 quarantined", "every sealed value is under new",
        ] { #expect(run.output.contains(line + "\n"), "\(run.output)") }
        let store = DatabaseStore(try database.connection(), keys: MasterKeys.text("new"))
        for number in 0..<5 { #expect(try Self.trouble(store, number) == nil) }

        let after = try Self.content(database)
        let again = try Program.admin(["rekey"], environment)
        #expect(again.status == 0)
        #expect(again.output.contains("secret.credentials: 0 resealed"))
        #expect(try Self.content(database) == after, "there was nothing left to do")
    }

    @Test(arguments: Driver.allCases)
    func `rows that do not open are listed and left, and the others done`(_ driver: Driver) throws {
        let database = try Self.filled(driver)
        let connection = try database.connection()
        try connection.execute("UPDATE secret SET credentials = 'canary' WHERE `key` = 'app-1'")
        try connection.execute("UPDATE token SET sealed_with = 'lost' WHERE `key` = 'app-2'")
        let environment = ["DATABASE_URL": database.url, "MASTER_KEYS": MasterKeys.text("new", "old")]
        for arguments in [["rekey", "--dry-run"], ["rekey", "--batch", "1"], ["rekey"]] {
            let run = try Program.admin(arguments, environment)
            #expect(run.status == 1)
            let lines = run.output.split(separator: "\n")
            #expect(
                lines.contains(
                    #"quarantined: secret.credentials of realm "wx", key "app-1", sealed with "old": not authentic"#))
            #expect(
                lines.contains(#"quarantined: token.token of realm "wx", key "app-2", sealed with "lost": unknown key"#)
            )
            #expect(!run.output.contains("canary"))
        }
        let store = DatabaseStore(connection, keys: MasterKeys.text("new"))
        for number in [0, 3, 4] { #expect(try Self.trouble(store, number) == nil) }
        #expect(try store.probeKeys() == KeyHealth(known: 4, unknown: 1, unknownIDs: ["old"]))

        _ = try store.write(Self.id(1), ["key_1": .set(Redacted("entered again"))])
        try connection.execute("UPDATE token SET token = NULL, sealed_with = NULL WHERE `key` = 'app-2'")
        let healed = try Program.admin(["rekey"], environment)
        #expect(healed.status == 0, "\(healed.output)")
        #expect(try store.probeKeys() == KeyHealth(known: 5))
    }

    @Test(arguments: Driver.allCases)
    func `migrate seals what lies in clear, once it is given keys`(_ driver: Driver) throws {
        let database = try Self.filled(driver, 2)
        let connection = try database.connection()
        try connection.execute(#"UPDATE secret SET credentials = '{"key_1":"canary"}', sealed_with = NULL"#)
        try connection.execute("UPDATE token SET token = 'canary', sealed_with = NULL WHERE `key` = 'app-0'")
        let without = try Program.admin(["migrate"], ["DATABASE_URL": database.url])
        #expect(without.status == 0)
        #expect("\(try Self.content(database))".contains("canary"))
        let environment = ["DATABASE_URL": database.url, "MASTER_KEYS": MasterKeys.text("new", "old")]
        let run = try Program.admin(["migrate"], environment)
        #expect(run.status == 0)
        #expect(run.output.contains("secret.credentials: 2 sealed that were in clear\n"))
        #expect(!"\(try Self.content(database))".contains("canary"))
        let store = DatabaseStore(connection, keys: MasterKeys.text("new", "old"))
        #expect(try store.material(Self.id(1))?.credentials["key_1"]?.reveal() == "canary")
        #expect(try store.material(Self.id(1))?.refreshToken?.reveal() == "refresh 1")
    }

    @Test(arguments: [["rekey", "now"], ["rekey", "--batch"], ["rekey", "--batch", "0"], ["rekey", "--batch", "x"]])
    func `what is not understood is answered with the usage`(_ arguments: [String]) throws {
        let run = try Program.admin(arguments, [:])
        #expect(run.status == 2)
        #expect(run.errors.hasPrefix("usage: "))
    }

    @Test(arguments: ["", "canary", "old:Y2FuYXJ5"])
    func `keys that cannot be used are one line, and nothing is done`(_ keys: String) throws {
        let database = try Self.filled(.sqlite, 1)
        for command in ["rekey", "migrate"] where command == "rekey" || !keys.isEmpty {
            let run = try Program.admin([command], ["DATABASE_URL": database.url, "MASTER_KEYS": keys])
            #expect(run.status == 1)
            #expect(run.output == "")
            #expect(run.errors.hasPrefix("token-server-admin: MASTER_KEYS: "))
            #expect(run.errors.split(separator: "\n").count == 1)
            #expect(!run.errors.contains("canary") && !run.errors.contains("Y2Fu"))
        }
    }

    // MARK: Beside others

    /// Every table's every value is written by somebody else between its being read and its being exchanged.
    @Test(arguments: Driver.allCases)
    func `what an administrator or a refresh writes meanwhile is never overwritten`(_ driver: Driver) throws {
        let database = try Self.filled(driver, 3)
        let store = DatabaseStore(try database.connection(), keys: MasterKeys.text("new", "old"))
        let keys = try MasterKeys(parsing: MasterKeys.text("new", "old"))
        let connection = HookedConnection(try database.connection())
        var written: Set<String> = []
        connection.beforeExecuting = { query in
            let table = ["secret", "token", "realm"].first { query.text.hasPrefix("UPDATE \($0) ") } ?? ""
            guard written.insert(table).inserted else { return }
            for number in 0..<3 {
                if table == "secret" {
                    _ = try? store.write(Self.id(number), ["key_1": .set(Redacted("written \(number)"))])
                } else if table == "token" {
                    let upstream = ScriptedUpstream { _ in
                        .minted(
                            Redacted("minted \(number)"), life: .seconds(7_200),
                            refreshToken: Redacted("rotated \(number)"))
                    }
                    _ = Broker(store: store, upstream: upstream, clock: SystemClock())
                        .decide(Self.id(number), wish: .flush, deadline: nil)
                }
            }
            if table == "realm" { _ = try? store.write("wx", RealmChange(noticeKey: .set(Redacted("new notice")))) }
        }
        let counts = try Rekeying(connection, keys).run()
        #expect(written == ["secret", "token", "realm"])
        #expect(counts.allSatisfy { $0.remaining == 0 && $0.unopened.isEmpty })
        #expect(counts.map(\.resealed) == [0, 0, 0, 0, 0], "whoever wrote has sealed already")
        for number in 0..<3 {
            let material = try #require(try store.material(Self.id(number)))
            #expect(material.credentials["key_1"]?.reveal() == "written \(number)")
            #expect(material.refreshToken?.reveal() == "rotated \(number)")
            guard case .found(let snapshot) = try store.read(Self.id(number), clock: SystemClock()) else { continue }
            #expect(snapshot.row.token?.reveal() == "minted \(number)")
        }
    }

    /// The newest of two secrets with the same name, version and key must not get the credentials of the one before.
    @Test(arguments: Driver.allCases)
    func `a value is exchanged for the very text that was read`(_ driver: Driver) throws {
        let database = try Self.filled(driver, 1)
        let connection = HookedConnection(try database.connection())
        let other = try database.connection()
        let keys = try MasterKeys(parsing: MasterKeys.text("new", "old"))
        var isDone = false
        connection.beforeExecuting = { query in
            if isDone || !query.text.hasPrefix("UPDATE token ") { return }
            isDone = true
            _ = try? other.execute("UPDATE token SET token = 'another text'")
        }
        _ = try Rekeying(connection, keys).run()
        let rows = try other.rows("SELECT token, sealed_with FROM token")
        #expect(rows.first?.values == [.text("another text"), .text("old")])
    }

    @Test(arguments: Driver.allCases)
    func `a run that ends after any statement leaves whole values, and the next does the rest`(
        _ driver: Driver
    ) throws {
        let database = try Self.filled(driver, 3)
        let keys = try MasterKeys(parsing: MasterKeys.text("new", "old"))
        var runs = 0
        while runs < 20 {
            let connection = InterruptedConnection(try database.connection(), after: 1)
            let isWhole = (try? Rekeying(connection, keys).run()) != nil
            let store = DatabaseStore(try database.connection(), keys: MasterKeys.text("new", "old"))
            for number in 0..<3 { #expect(try Self.trouble(store, number) == nil) }
            if isWhole { break }
            runs += 1
        }
        #expect(runs == 9, "ten values, one for each run, and the last run finds nothing after it")
        let store = DatabaseStore(try database.connection(), keys: MasterKeys.text("new"))
        for number in 0..<3 { #expect(try Self.trouble(store, number) == nil) }
    }
}
