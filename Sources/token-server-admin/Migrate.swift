internal import DatabaseDrivers
internal import Glibc
internal import SQL
internal import Storage

extension AdminCommand {
    /// Brings the schema up to date; harmless when it is, and beside another run.
    func migrate() throws {
        let url = try DatabaseURL(environment: { name in unsafe getenv(name).map { unsafe String(cString: $0) } })
        // Changing a large table takes its time.
        let connection = url.connection(patience: .seconds(3_600))
        let migrations = try Schema.migrations(for: connection.dialect)
        let finished = try MigrationRunner(connection).run(migrations)
        for migration in migrations where finished.contains(migration.number) {
            print("migration \(migration.number) (\(migration.name)): done")
        }
        if finished.isEmpty { print("the schema is up to date") }
    }
}
