import Clocks
import Log
import SQL
import Storage
import Testing
import Tokens

/// What becomes of a database's errors, and of rows that cannot be understood.
@Suite struct StoreErrorTests {
    private static let id = SecretID(realm: "wx", key: "app")

    @Test(arguments: [
        (DatabaseError.Code.unavailable, StoreError.unavailable), (.deadlock, .unavailable),
        (.lockTimeout, .unavailable),
        (.readOnly, .unavailable), (.lost, .uncertain), (.timeout, .uncertain),
        (.schema, .broken("the schema is not the expected one (error 7)")),
        (.accessDenied, .broken("the database refused the login (error 7)")),
    ])
    func `an error says whether something may have been written`(_ code: DatabaseError.Code, _ expected: StoreError) {
        let store = DatabaseStore(FailingConnection(error: DatabaseError(code, number: 7, serverMessage: "canary")))
        #expect(throws: expected) { try store.read(Self.id, clock: SystemClock()) }
        #expect(throws: expected) { try store.write("wx", RealmChange()) }
        #expect(throws: expected) { try store.deleteSecret(Self.id) }
        #expect(throws: expected) { try store.probe() }
    }

    @Test(arguments: Driver.allCases)
    func `without the schema a store is broken, and the probe says why`(_ driver: Driver) throws {
        let store = DatabaseStore(try driver.database().connection())
        #expect(try store.probe().isMigrated == false)
        #expect { try store.read(Self.id, clock: SystemClock()) } throws: { error in
            if case StoreError.broken = error { true } else { false }
        }
    }

    @Test(
        arguments: Driver.allCases,
        [
            ("token", "reason = 'canary'", "token.reason is none of the known words"),
            ("token", "retry_class = 'canary'", "token.retry_class is none of the known words"),
            ("token", "failure = '{\"detail\": \"canary\"}'", "token.failure is not a failure"),
            ("token", "minted_for_realm = 1", "token.minted_for_secret is not set"),
            ("token", "retry_for_secret = 1", "token.retry_for_realm is not set"),
            ("secret", "sealed_with = NULL, credentials = 'canary'", "secret.credentials is not a JSON object"),
            (
                "secret", "sealed_with = NULL, credentials = '{\"key_1\": 1}'",
                "secret.credentials holds a value that is not text"
            ),
        ])
    func `a row that cannot be understood names its column and shows no value`(
        _ driver: Driver, _ damage: (table: String, assignment: String, expected: String)
    ) throws {
        let connection = try driver.migratedDatabase().connection()
        let store = DatabaseStore(connection)
        _ = try store.write("wx", RealmChange())
        _ = try store.write(Self.id, ["key_1": .set(Redacted("x"))])
        try connection.execute("UPDATE \(unsafeSQL: damage.table) SET \(unsafeSQL: damage.assignment)")
        #expect(throws: StoreError.broken(damage.expected)) {
            if damage.table == "token" {
                _ = try store.read(Self.id, clock: SystemClock())
            } else {
                _ = try store.material(Self.id)
            }
        }
    }

    @Test(arguments: Driver.allCases)
    func `a hit is one statement that reads neither recipe nor credentials`(_ driver: Driver) throws {
        let counting = CountingConnection(try driver.migratedDatabase().connection())
        let store = DatabaseStore(counting)
        _ = try store.write("wx", RealmChange(config: .set("{}")))
        _ = try store.write(Self.id, ["key_1": .set(Redacted("x"))])
        counting.statements = []
        _ = try store.read(Self.id, clock: SystemClock())
        #expect(counting.statements.count == 1)
        #expect(counting.statements.first?.contains("credentials") == false)
        #expect(counting.statements.first?.contains("realm.config,") == false)
        counting.statements = []
        _ = try store.take(
            Self.id,
            LeaseRequest(
                fence: 0, generation: 0, marks: 0, doubts: 0, diesAt: nil, fails: 0, holder: "", reason: .dead,
                lease: .zero, day: 0, isUse: true))
        _ = try store.release(Self.id, LeaseRelease(fence: 0, fails: 0, pause: nil))
        #expect(counting.statements.count == 2)
    }
}

/// A database that answers every statement with the same error.
private final class FailingConnection: Connection {
    private let error: DatabaseError

    init(error: DatabaseError) {
        self.error = error
    }

    var dialect: Dialect { .mysql }
    func execute(_ query: Query) throws(DatabaseError) -> Int { throw error }
    func rows(_ query: Query) throws(DatabaseError) -> [Row] { throw error }
    func transaction<Result>(_ body: () throws -> Result) throws -> Result { throw error }
    func exists(_ object: SchemaObject) throws(DatabaseError) -> Bool { throw error }
    func close() {}
}
