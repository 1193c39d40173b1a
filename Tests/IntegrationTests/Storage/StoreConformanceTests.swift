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
        try database().migrated()
    }
}

extension TestDatabase {
    /// The same one, with the schema of this build.
    func migrated() throws -> TestDatabase {
        let connection = try connection()
        defer { connection.close() }
        try MigrationRunner(connection).run(Schema.migrations(for: connection.dialect))
        return self
    }
}
