import Clocks
import Foundation
import HTTPServer
import Locks
import Log
import SQL
import Storage
import Testing
import Tokens

@Suite struct PredecessorMigrationTests {
    @Test(arguments: PredecessorDatabase.Charset.allCases)
    func `realms come along to the byte`(_ charset: PredecessorDatabase.Charset) throws {
        let predecessor = try PredecessorDatabase(charset: charset)
        try predecessor.migrate()
        let store = try predecessor.store()
        let realm = try #require(try store.realm("qywx_qynbkf"))
        #expect(realm.config == PredecessorDatabase.config)
        #expect(realm.comment == PredecessorDatabase.comment)
        #expect(realm.logicCode == "")
        #expect(realm.policy == nil)
        #expect(realm.createdAt.milliseconds == 1_646_370_367_000)
        #expect(realm.updatedAt.milliseconds == 1_704_067_199_000)
        #expect(try store.realm("code")?.logicCode == "https://a.example/code")
        #expect(try store.realms(Page(number: 1, size: 10), keyword: "千语").elements.map(\.id) == ["qywx_qynbkf"])
    }

    @Test(arguments: PredecessorDatabase.Charset.allCases)
    func `credentials come along to the byte, and those never set are absent`(
        _ charset: PredecessorDatabase.Charset
    ) throws {
        let predecessor = try PredecessorDatabase(charset: charset)
        try predecessor.migrate()
        let store = try predecessor.store()
        // Its realm was spelled in another case.
        let id = SecretID(realm: "qywx_qynbkf", key: "live")
        let credentials = try #require(try store.material(id)).credentials
        let special = PredecessorDatabase.credential(charset)
        #expect(
            credentials.mapValues { Array($0.reveal().utf8) } == [
                "key_1": Array("corp".utf8), "key_2": Array(special.utf8), "key_5": Array("five".utf8),
            ])
        let secret = try #require(try store.secret(id))
        #expect(secret.createdAt.milliseconds == 1_640_995_200_000)
        #expect(secret.updatedAt.milliseconds == 1_709_208_000_000)
    }

    @Test func `live tokens are served as they were, and nothing else is`() throws {
        let predecessor = try PredecessorDatabase()
        try predecessor.migrate()
        let store = try predecessor.store()
        let expected: [(SecretID, token: String?, expiresAt: Int64?)] = [
            (SecretID(realm: "qywx_qynbkf", key: "live"), "live-token 中", PredecessorDatabase.future),
            (SecretID(realm: "qywx_qynbkf", key: "expired"), nil, nil),
            (SecretID(realm: "qywx_qynbkf", key: "endless"), nil, nil),
            (SecretID(realm: "qywx_qynbkf", key: "empty"), nil, nil),
            (SecretID(realm: "qywx_qynbkf", key: "none"), nil, nil),
            (SecretID(realm: "code", key: "endless"), nil, nil),
            (SecretID(realm: "Fixed", key: "endless"), "for ever", nil),
            (SecretID(realm: "Fixed", key: "it's \"odd\" \\ 名"), "odd-token", PredecessorDatabase.future),
        ]
        for (id, token, expiresAt) in expected {
            guard case .found(let snapshot) = try store.read(id, clock: SystemClock()) else {
                Issue.record("\(id) is not found")
                continue
            }
            #expect(snapshot.row.token?.reveal() == token, "\(id)")
            #expect(snapshot.row.expiresAt?.milliseconds == expiresAt, "\(id)")
            #expect(snapshot.row.generation == (token == nil ? 0 : 1), "\(id)")
            #expect(snapshot.row.mintedFor == (token == nil ? nil : snapshot.version), "\(id)")
        }
    }

    @Test func `a migrated row can be leased, refreshed, changed and deleted, whatever its name`() throws {
        let predecessor = try PredecessorDatabase(charset: .utf8mb4)
        try predecessor.migrate()
        let store = try predecessor.store()
        let id = SecretID(realm: "Fixed", key: "it's \"odd\" \\ 名🙂")
        let row = try found(id, store).row
        let lease = LeaseRequest(
            fence: row.fence, generation: 1, marks: 0, doubts: 0, diesAt: nil, fails: 0, holder: "me", reason: .flush,
            lease: .seconds(10), day: 0, isUse: true)
        #expect(try store.take(id, lease))
        #expect(try store.write(id, ["key_1": .set(Redacted("new"))])?.credentialNames == ["key_1"])
        #expect(try store.deleteSecret(id))
        guard case .unknownSecret = try store.read(id, clock: SystemClock()) else {
            Issue.record("still found")
            return
        }
    }

    @Test func `a secret whose realm is missing stays listed and does no harm`() throws {
        let predecessor = try PredecessorDatabase()
        try predecessor.migrate()
        let store = try predecessor.store()
        let id = SecretID(realm: "gone", key: "orphan")
        #expect(try store.secrets(Page(number: 1, size: 10), realm: "gone").elements.map(\.id) == [id])
        guard case .unknownRealm = try store.read(id, clock: SystemClock()) else {
            Issue.record("found without its realm")
            return
        }
        #expect(try store.write(id, ["key_1": .set(Redacted("new"))]) == nil)
        #expect(try store.deleteSecret(id))
    }

    @Test(arguments: PredecessorDatabase.Charset.allCases)
    func `the schema becomes that of a new installation, and nothing in clear is left`(
        _ charset: PredecessorDatabase.Charset
    ) throws {
        let predecessor = try PredecessorDatabase(charset: charset)
        #expect(try predecessor.store().probe().isMigrated == false)
        try predecessor.migrate()
        #expect(try predecessor.store().probe().isMigrated)
        #expect(try predecessor.database.schema() == Driver.mariaDB.migratedDatabase().schema())
    }

    @Test func `a run that is killed after any statement is finished by the next`() throws {
        let whole = try PredecessorDatabase()
        #expect(try whole.migrate() == Schema.migrations(for: .mysql).map(\.number))
        let expected = try whole.content()
        let schema = try whole.database.schema()
        var count = 0
        while true {
            let predecessor = try PredecessorDatabase()
            let interrupted = InterruptedConnection(try predecessor.database.connection(), after: count)
            do {
                try predecessor.migrate(over: interrupted)
            } catch let error as DatabaseError where error.code == .lost {}
            interrupted.close()
            if !interrupted.isDead { break }
            try predecessor.migrate()
            #expect(try predecessor.content() == expected, "killed after \(count) statements")
            #expect(try predecessor.database.schema() == schema, "killed after \(count) statements")
            count += 1
        }
        #expect(count > 15)
    }

    @Test func `a second run changes nothing`() throws {
        let predecessor = try PredecessorDatabase()
        try predecessor.migrate()
        let expected = try predecessor.content()
        #expect(try predecessor.migrate() == [])
        let connection = try predecessor.database.connection()
        // Even where nobody remembers the first.
        try connection.execute("DROP TABLE schema_migration")
        try predecessor.migrate()
        #expect(try predecessor.content() == expected)
    }

    @Test func `two runs at once both succeed`() throws {
        let reference = try PredecessorDatabase()
        try reference.migrate()
        let expected = try reference.content()
        for round in 0..<8 {
            let predecessor = try PredecessorDatabase()
            let errors = Lock<[String]>([])
            concurrently(2) { run in
                do {
                    // Side by side, then one a little behind the other.
                    usleep(UInt32(run * round * 5_000))
                    try predecessor.migrate()
                } catch {
                    let text = "\(error) \((error as? DatabaseError)?.serverMessage ?? "")"
                    errors.withLock { $0.append(text) }
                }
            }
            #expect(errors.withLock { $0 } == [])
            #expect(try predecessor.content() == expected)
        }
    }

    @Test func `a token refreshed between two runs is kept`() throws {
        // The statement that drops the clear columns is the last of migration 2: the tokens have been copied.
        let predecessor = try PredecessorDatabase()
        let id = SecretID(realm: "qywx_qynbkf", key: "live")
        var count = 0
        while try !predecessor.database.connection().hasCopiedTokens() {
            count += 1
            let interrupted = InterruptedConnection(try predecessor.database.connection(), after: count)
            do { try predecessor.migrate(over: interrupted) } catch let error as DatabaseError where error.code == .lost
            {}
            interrupted.close()
        }
        let connection = try predecessor.database.connection()
        #expect(try connection.exists(.column(table: "secret", name: "key_1")), "interrupted too late")
        try connection.execute(
            "UPDATE token SET token = 'newer', generation = 2 WHERE realm = \(id.realm) AND `key` = \(id.key)")
        try predecessor.migrate()
        let row = try found(id, predecessor.store()).row
        #expect(row.token?.reveal() == "newer")
        #expect(row.generation == 2)
    }

    private func found(_ id: SecretID, _ store: DatabaseStore) throws -> Snapshot {
        guard case .found(let snapshot) = try store.read(id, clock: SystemClock()) else {
            throw StoreError.broken("\(id) is not found")
        }
        return snapshot
    }
}

extension Connection {
    fileprivate func hasCopiedTokens() throws -> Bool {
        try exists(.table("token")) && !rows("SELECT 1 FROM token LIMIT 1").isEmpty
    }
}
