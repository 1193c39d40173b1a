/// Brings a schema up to date, whatever state an earlier or a simultaneous run left it in.
///
/// There is no lock: `GET_LOCK` is not to be had on every cluster, and a lock's holder may be killed. Instead every step asks
/// the schema whether it is still wanted, so that a step may be interrupted, repeated, or met by another run.
/// A step without guards must be harmless when it runs again.
package struct MigrationRunner {
    private let connection: any Connection

    package init(_ connection: any Connection) {
        self.connection = connection
    }

    /// Runs what is pending in the order of the numbers; answers the numbers that this run finished.
    @discardableResult
    package func run(_ migrations: [Migration]) throws(DatabaseError) -> [Int] {
        var finished: [Int] = []
        for migration in try pending(migrations) {
            for step in migration.steps { try run(step) }
            if try record(migration) { finished.append(migration.number) }
        }
        return finished
    }

    /// The migrations that no run has finished, in the order of their numbers.
    package func pending(_ migrations: [Migration]) throws(DatabaseError) -> [Migration] {
        let ordered = migrations.sorted { $0.number < $1.number }
        guard try connection.exists(.table("schema_migration")) else { return ordered }
        var applied: Set<Int64> = []
        for row in try connection.rows("SELECT number FROM schema_migration") { applied.insert(try row.integer(0)) }
        return ordered.filter { !applied.contains(Int64($0.number)) }
    }

    private func run(_ step: Migration.Step) throws(DatabaseError) {
        guard try isWanted(step) else { return }
        do throws(DatabaseError) {
            try connection.execute(Query(unsafeSQL: step.statement))
        } catch {
            // Somebody else did it between our question and our statement; or the answer to ours was lost.
            let isDone = step.guards.isEmpty ? false : try !isWanted(step)
            if !isDone { throw error }
        }
    }

    /// Looks twice: while one question after the other is asked, another run may do several steps, and a column that is
    /// looked for under its old name after its new one seems to be nowhere.
    private func isWanted(_ step: Migration.Step) throws(DatabaseError) -> Bool {
        guard try seemsWanted(step) else { return false }
        return step.guards.count < 2 ? true : try seemsWanted(step)
    }

    private func seemsWanted(_ step: Migration.Step) throws(DatabaseError) -> Bool {
        for condition in step.guards {
            switch condition {
            case .when(let object): if try !connection.exists(object) { return false }
            case .unless(let object): if try connection.exists(object) { return false }
            }
        }
        return true
    }

    /// Answers whether this run was the one that recorded it.
    private func record(_ migration: Migration) throws(DatabaseError) -> Bool {
        // The table is made here, after the first migration, so that looking at a database changes nothing in it.
        if try !connection.exists(.table("schema_migration")) {
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS schema_migration (
                    number INTEGER NOT NULL PRIMARY KEY, name VARCHAR(200) NOT NULL, applied_at BIGINT NOT NULL)
                """)
        }
        let count = try connection.execute(
            """
            \(unsafeSQL: connection.dialect.insertOrIgnore) schema_migration (number, name, applied_at)
            VALUES (\(migration.number), \(migration.name), \(unsafeSQL: connection.dialect.now))
            """)
        return count == 1
    }
}
