internal import Crypto
internal import DatabaseDrivers
internal import Glibc
internal import Recipes
internal import SQL
internal import Storage
internal import Tokens

extension AdminCommand {
    static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// Brings the schema up to date and seals what is in clear; harmless when it is, and beside another run.
    func migrate() throws {
        let url = try DatabaseURL(environment: Self.environment)
        // Without keys the schema alone is brought up to date; keys that cannot be used are said before anything is done.
        let hasKeys = Self.environment(MasterKeys.variable).map { !$0.isEmpty } ?? false
        let keys = hasKeys ? try MasterKeys(environment: Self.environment) : nil
        // Changing a large table takes its time.
        let connection = url.connection(patience: .seconds(3_600))
        let migrations = try Schema.migrations(for: connection.dialect)
        let finished = try MigrationRunner(connection).run(migrations)
        for migration in migrations where finished.contains(migration.number) {
            print("migration \(migration.number) (\(migration.name)): done")
        }
        if finished.isEmpty { print("the schema is up to date") }
        // Signs none itself: what the database says of its own age is the word of whoever can write to it.
        let unsigned = try KeySigning.unsigned(connection)
        if unsigned > 0 {
            print(
                "API keys that open nothing because nobody has signed them: \(unsigned); look at them with token-server-admin keys sign --dry-run, then sign them with token-server-admin keys sign"
            )
        }
        guard let keys else { return }
        var options = Rekeying.Options()
        options.onlyClear = true
        options.destination = { try Destination(config: $0, logicCode: $1) }
        for count in try Rekeying(connection, keys, options).run() where count.sealed > 0 {
            print("\(count.column): \(count.sealed) sealed that were in clear")
        }
    }
}
