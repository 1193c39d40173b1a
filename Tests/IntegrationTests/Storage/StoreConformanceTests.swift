import Clocks
import SQL
import Storage
import TestKit
import Testing
import Tokens

@Suite struct StoreConformanceTests {
    @Test(arguments: StoreConformance.rules)
    func `in memory`(_ rule: StoreConformance) throws {
        try rule.check(InMemoryStore(clock: SystemClock()))
    }

    @Test(arguments: StoreConformance.rules)
    func `on SQLite`(_ rule: StoreConformance) throws {
        try rule.check(DatabaseStore(Driver.sqlite.migratedDatabase().connection()))
    }

    @Test(arguments: StoreConformance.rules)
    func `on MariaDB`(_ rule: StoreConformance) throws {
        try rule.check(DatabaseStore(Driver.mariaDB.migratedDatabase().connection()))
    }
}

extension Driver {
    /// A new database with the schema of this build.
    func migratedDatabase() throws -> TestDatabase {
        let database = try database()
        let connection = try database.connection()
        defer { connection.close() }
        try MigrationRunner(connection).run(Schema.migrations(for: connection.dialect))
        return database
    }
}
