import HTTPServer
import Locks
import SQL
import Testing

/// Migrations that meet each other, themselves and their own end, the same on every database.
@Suite(.timeLimit(.minutes(5)))
struct MigrationRunnerTests {
    /// A table that is widened, filled, renamed in one of its columns, and indexed.
    private func migrations() throws -> [Migration] {
        [
            try Migration(
                number: 2, name: "fill",
                parsing: """
                    -- when column person.nick
                    -- unless column person.alias
                    ALTER TABLE person ADD COLUMN alias varchar(50) NOT NULL DEFAULT '';

                    -- when column person.nick
                    UPDATE person SET alias = nick;

                    -- when column person.nick
                    ALTER TABLE person DROP COLUMN nick;

                    -- unless index person.person_alias
                    CREATE INDEX person_alias ON person (alias);
                    """),
            try Migration(
                number: 1, name: "tables",
                parsing: """
                    -- unless table person
                    CREATE TABLE person (
                        id bigint NOT NULL PRIMARY KEY
                    );
                    -- unless column person.alias
                    -- unless column person.nick
                    ALTER TABLE person ADD COLUMN nick varchar(50) NOT NULL DEFAULT 'ada';
                    """),
        ]
    }

    private func expectUpToDate(_ connection: any Connection) throws {
        let columns = ["id", "alias", "nick"].map { SchemaObject.column(table: "person", name: $0) }
        #expect(try columns.map { try connection.exists($0) } == [true, true, false])
        #expect(try connection.exists(.index(table: "person", name: "person_alias")))
        let applied = try connection.rows("SELECT number, name FROM schema_migration ORDER BY number")
        #expect(applied.map(\.values) == [[.integer(1), .text("tables")], [.integer(2), .text("fill")]])
        #expect(try MigrationRunner(connection).pending(try migrations()).isEmpty)
    }

    @Test(arguments: Driver.allCases)
    func `what is pending runs in the order of the numbers, once`(driver: Driver) throws {
        let connection = try driver.database().connection()
        let runner = MigrationRunner(connection)
        #expect(try runner.pending(try migrations()).map(\.number) == [1, 2])
        #expect(try !connection.exists(.table("schema_migration")), "looking changes nothing")
        #expect(try runner.run(try migrations()) == [1, 2])
        #expect(try runner.run(try migrations()) == [])
        try expectUpToDate(connection)
    }

    @Test(arguments: Driver.allCases)
    func `two runs at once do no harm and finish the work between them`(driver: Driver) throws {
        for _ in 0..<5 {
            let database = try driver.database()
            let migrations = try migrations()
            let finished = Lock<[Int]>([])
            let failures = Lock<[String]>([])
            concurrently(2) { _ in
                do {
                    let numbers = try MigrationRunner(try database.connection()).run(migrations)
                    finished.withLock { $0 += numbers }
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
            }
            #expect(failures.withLock { $0 } == [])
            #expect(finished.withLock { $0.sorted() } == [1, 2])
            try expectUpToDate(try database.connection())
        }
    }

    @Test(arguments: Driver.allCases)
    func `a run cut off after any statement is finished by the next`(driver: Driver) throws {
        let whole = HookedConnection(try driver.database().connection())
        var total = 0
        whole.beforeExecuting = { _ in total += 1 }
        try MigrationRunner(whole).run(try migrations())
        #expect(total >= 8)
        for count in 0..<total {
            let connection = try driver.database().connection()
            // As if its process had been killed there.
            let interrupted = HookedConnection(connection)
            var left = count
            interrupted.beforeExecuting = { _ throws(DatabaseError) in
                if left == 0 { throw DatabaseError(.lost) }
                left -= 1
            }
            let error = failure(of: { try MigrationRunner(interrupted).run(try migrations()) })
            #expect(error?.code == .lost)
            // The predecessor's rows come through: there is one as soon as there is a table for it.
            let hasRow = try connection.exists(.column(table: "person", name: "nick"))
            if hasRow { try connection.execute("INSERT INTO person (id, nick) VALUES (\(1), \("grace"))") }
            try MigrationRunner(connection).run(try migrations())
            try expectUpToDate(connection)
            if hasRow { #expect(try connection.rows("SELECT alias FROM person").map(\.values) == [[.text("grace")]]) }
        }
    }

    @Test(arguments: Driver.allCases)
    func `a statement that fails and is still wanted stops the run`(driver: Driver) throws {
        let connection = try driver.database().connection()
        let broken = try Migration(number: 1, name: "broken", parsing: "-- unless table a\nCREATE TABLEAU a (x int);")
        let error = failure(of: { try MigrationRunner(connection).run([broken]) })
        #expect(error?.code == .syntax)
        #expect(try MigrationRunner(connection).pending([broken]).count == 1)
    }
}
