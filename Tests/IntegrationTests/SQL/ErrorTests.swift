import Foundation
import MariaDB
import SQL
import SQLite
import Testing

/// What a failed statement says, the same on every database.
@Suite(.timeLimit(.minutes(5)))
struct ErrorTests {
    static let canary = "c4n4ry"

    struct Case: Sendable, CustomTestStringConvertible {
        let query: Query
        let code: DatabaseError.Code
        var drivers = Driver.allCases

        var testDescription: String { query.text }
    }

    static let cases = [
        Case(query: "INSERT INTO parent (id) VALUES (\(canary))", code: .uniqueViolation),
        Case(query: "INSERT INTO child (parent) VALUES (\("none-" + canary))", code: .foreignKeyViolation),
        Case(query: "DELETE FROM parent WHERE id = \(canary)", code: .foreignKeyViolation),
        Case(query: "INSERT INTO child (parent, note) VALUES (\(canary), \(Value.null))", code: .constraintViolation),
        Case(
            query: "INSERT INTO parent (id) VALUES (\(String(repeating: canary, count: 20)))",
            code: .constraintViolation,
            drivers: [.mariaDB]),
        Case(query: "INSERT INTO number (n) VALUES (\(canary))", code: .constraintViolation, drivers: [.mariaDB]),
        Case(query: "SELECT none FROM parent WHERE id = \(canary)", code: .schema),
        Case(query: "SELECT 1 FROM none WHERE id = \(canary)", code: .schema),
        Case(query: "SELECTED \(canary)", code: .syntax),
        Case(query: "SELECT 1 FROM parent WHERE id = \(canary) AND", code: .syntax),
        Case(query: "SELECT 1; SELECT 2", code: .syntax),
        Case(query: Query(unsafeSQL: "SELECT ?", arguments: [.text(canary), .text(canary)]), code: .syntax),
        Case(query: Query(unsafeSQL: "SELECT ? + ?", arguments: [.text(canary)]), code: .syntax),
    ]

    @Test(arguments: Driver.allCases)
    func `an error has its code, shows no argument, and leaves the connection usable`(driver: Driver) throws {
        let connection = try driver.database().connection()
        try connection.execute("CREATE TABLE parent (id varchar(100) NOT NULL PRIMARY KEY)")
        try connection.execute("CREATE TABLE number (n bigint)")
        try connection.execute(
            """
            CREATE TABLE child (parent varchar(100) NOT NULL, note varchar(10) NOT NULL DEFAULT '',
                FOREIGN KEY (parent) REFERENCES parent (id))
            """)
        try connection.execute("INSERT INTO parent (id) VALUES (\(Self.canary))")
        try connection.execute("INSERT INTO child (parent) VALUES (\(Self.canary))")
        for test in Self.cases where test.drivers.contains(driver) {
            let error = #expect(throws: DatabaseError.self, "\(test.query.text)") { try connection.rows(test.query) }
            #expect(error?.code == test.code, "\(test.query.text): \(error?.serverMessage ?? "")")
            var shown = error.map { "\($0) \(String(reflecting: $0))" } ?? Self.canary
            dump(error, to: &shown)
            #expect(!shown.contains(Self.canary))
            #expect(try connection.rows("SELECT \(1)").first?.integer(0) == 1)
        }
    }

    @Test(arguments: Driver.allCases)
    func `reading a column as another type is an error, not a trap`(driver: Driver) throws {
        let row = try #require(try driver.database().connection().rows("SELECT \("text"), \(1)").first)
        #expect(throws: DatabaseError.self) { try row.integer(0) }
        #expect(throws: DatabaseError.self) { try row.text(1) }
    }

    @Test func `a number beyond 63 bits is an error, not another number`() throws {
        let connection = try Driver.mariaDB.database().connection()
        let error = #expect(throws: DatabaseError.self) {
            try connection.rows("SELECT CAST(18446744073709551615 AS UNSIGNED), \(1)")
        }
        #expect(error?.code == .unexpectedType)
        #expect(try connection.rows("SELECT \(1)").first?.integer(0) == 1)
    }

    @Test func `an error after the first rows has its number`() throws {
        let connection = try Driver.mariaDB.database().connection()
        let query: Query = """
            SELECT seq, (SELECT other.seq FROM seq_1_to_2 AS other WHERE many.seq > 100000) FROM seq_1_to_200000 AS many
            WHERE seq > \(0)
            """
        let error = #expect(throws: DatabaseError.self) { try connection.rows(query) }
        #expect(error?.number == 1242)
        #expect(try connection.rows("SELECT \(1)").first?.integer(0) == 1)
    }

    @Test(arguments: Driver.allCases)
    func `two hundred opens and closes leak no descriptor`(driver: Driver) throws {
        let database = try driver.database()
        let path = try target(of: driver, database)
        for _ in 0..<200 {
            let connection = try database.connection()
            #expect(try connection.rows("SELECT \(1)").count == 1)
            connection.close()
        }
        // Other tests open and close their own at the same time: only those of this database count. A server closes its side a
        // moment later.
        #expect(wait { path().isEmpty }, "\(path())")
    }

    /// Lists this process's open descriptors of one database.
    private func target(of driver: Driver, _ database: TestDatabase) throws -> () -> [String] {
        guard case .sqlite(let file) = try DatabaseURL(parsing: database.url) else {
            let connection = try database.connection()
            return {
                let list = try? connection.rows(
                    "SELECT id FROM information_schema.PROCESSLIST WHERE db = DATABASE() AND id <> CONNECTION_ID()")
                return (list ?? []).map { "\($0)" }
            }
        }
        return {
            let folder = "/proc/self/fd/"
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: folder + $0) }
                .filter { $0.hasPrefix(file) }
        }
    }

    @Test func `a database file is for its owner alone`() throws {
        let file = try ScratchFolder.make() + "/database"
        let connection = SQLiteConnection(file: file)
        try connection.execute("CREATE TABLE t (x)")
        for suffix in ["", "-wal", "-shm"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: file + suffix)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
        #expect(try connection.rows("PRAGMA journal_mode").first?.text(0) == "wal")
        #expect(try connection.rows("PRAGMA synchronous").first?.integer(0) == 2)
    }

    @Test func `a file that cannot be opened is unavailable`() {
        let connection = SQLiteConnection(file: "/nonexistent/c4n4ry")
        let error = #expect(throws: DatabaseError.self) { try connection.rows("SELECT 1") }
        #expect(error?.code == .unavailable)
        #expect(error?.description.contains(Self.canary) == false)
    }
}
