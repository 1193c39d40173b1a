internal import CSQLite
internal import Fibers
internal import Glibc
package import SQL

/// A connection to a database in one file, by SQLite.
///
/// Write-ahead log, so that readers and the writer do not wait for each other. `synchronous` is FULL: with NORMAL a
/// commit survives a killed process but not a power cut, and a token that was answered must still be stored
/// after either; commits are as rare as refreshes. The file is created for its owner alone.
package final class SQLiteConnection: Connection {
    private let file: String
    private let busyTimeout: Duration
    private var session: SQLiteSession?
    private var isInTransaction = false

    /// `busyTimeout`: how long a statement waits for another writer.
    package init(file: String, busyTimeout: Duration = .seconds(5)) {
        self.file = file
        self.busyTimeout = busyTimeout
    }

    package var dialect: Dialect { .sqlite }

    @discardableResult
    package func execute(_ query: Query) throws(DatabaseError) -> Int {
        try run(query) { _ in }
    }

    package func rows(_ query: Query) throws(DatabaseError) -> [Row] {
        var rows: [Row] = []
        try run(query) { rows.append($0) }
        return rows
    }

    /// A statement blocks, for as long as another connection writes.
    @discardableResult
    private func run(_ query: Query, _ read: (Row) -> Void) throws(DatabaseError) -> Int {
        try Fiber.elsewhere {
            Result { () throws(DatabaseError) in try opened().run(query, read) }
        }.get()
    }

    /// `BEGIN IMMEDIATE` takes the one write lock at once: two transactions cannot meet half-way, where one would have to give up.
    @discardableResult
    package func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        precondition(!isInTransaction, "a transaction inside a transaction")
        try execute("BEGIN IMMEDIATE")
        isInTransaction = true
        defer { isInTransaction = false }
        do {
            let result = try body()
            // A body that closed the connection, or caught an error that undid everything, must not look committed.
            guard let session, session.isInTransaction else { throw DatabaseError(.lost) }
            try execute("COMMIT")
            return result
        } catch {
            if session?.isInTransaction == true {
                do {
                    try execute("ROLLBACK")
                } catch {
                    session = nil  // Closing undoes what is open.
                }
            }
            throw error
        }
    }

    package func exists(_ object: SchemaObject) throws(DatabaseError) -> Bool {
        switch object {
        case .table(let table):
            return try !rows(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(\(table))"
            ).isEmpty
        case .column(let table, let name):
            return try columnType(table, name) != nil
        case .index(let table, let name):
            return try !rows(
                "SELECT 1 FROM pragma_index_list(\(table)) WHERE lower(name) = lower(\(name))"
            ).isEmpty
        case .columnType(let table, let name, let prefix):
            return try columnType(table, name)?.lowercased().hasPrefix(prefix.lowercased()) ?? false
        }
    }

    package func close() {
        session = nil
    }

    private func columnType(_ table: String, _ name: String) throws(DatabaseError) -> String? {
        try rows("SELECT type FROM pragma_table_info(\(table)) WHERE lower(name) = lower(\(name))").first?.text(0)
    }

    private func opened() throws(DatabaseError) -> SQLiteSession {
        if let session { return session }
        // The rest of a transaction must not run outside it.
        if isInTransaction { throw DatabaseError(.lost) }
        let session = try SQLiteSession(file: file, busyTimeout: busyTimeout)
        self.session = session
        return session
    }
}
