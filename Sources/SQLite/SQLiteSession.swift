internal import CSQLite
internal import Glibc
internal import SQL

/// One open database file, with the statements compiled for it.
@safe final class SQLiteSession {

    private var statements = StatementCache<SQLiteStatement>()
    private let handle: DatabaseHandle

    init(file: String, busyTimeout: Duration) throws(DatabaseError) {
        // SQLite would create it readable for everybody, and its log files take over the mode. A node is made instead of
        // a file opened: closing any descriptor of the file would drop the locks this process holds on it.
        // The mode is S_IFREG | 0600 in figures: Swift's own names for it link the overlay, which needs GLIBC_2.35.
        unsafe mknod(file, 0o100600, 0)
        handle = try DatabaseHandle(file: file)
        let milliseconds = Int32(clamping: Int64(busyTimeout / .milliseconds(1)))
        unsafe sqlite3_busy_timeout(handle.database, milliseconds)
        try useWriteAheadLog(attempts: max(1, milliseconds / Self.logRetryMilliseconds))
        try set("PRAGMA synchronous = FULL")
        try set("PRAGMA foreign_keys = ON")
    }

    /// Whether a transaction is open; SQLite itself undoes some on a full disk or an I/O error.
    var isInTransaction: Bool {
        unsafe sqlite3_get_autocommit(handle.database) == 0
    }

    /// Runs a statement to its end, hands over every row, and answers how many rows it changed.
    @discardableResult
    func run(_ query: Query, _ read: (Row) -> Void) throws(DatabaseError) -> Int {
        let statement = try prepared(query.text)
        let changesBefore = unsafe sqlite3_total_changes64(handle.database)
        try statement.run(query.arguments, handle, read)
        // `sqlite3_changes` alone still has the count of an earlier statement after one that changes no row.
        return unsafe sqlite3_total_changes64(handle.database) == changesBefore
            ? 0 : Int(sqlite3_changes64(handle.database))
    }

    private static let logRetryMilliseconds: Int32 = 10

    /// Two connections that switch a new file at once are told "busy" without the busy timeout being waited for.
    private func useWriteAheadLog(attempts: Int32) throws(DatabaseError) {
        for attempt in 1...attempts {
            do {
                return try set("PRAGMA journal_mode = WAL")
            } catch {
                if error.code != .lockTimeout || attempt == attempts { throw error }
                usleep(UInt32(Self.logRetryMilliseconds) * 1_000)
            }
        }
    }

    private func set(_ pragma: String) throws(DatabaseError) {
        try run(Query(unsafeSQL: pragma)) { _ in }
    }

    private func prepared(_ text: String) throws(DatabaseError) -> SQLiteStatement {
        try statements.statement(text) { () throws(DatabaseError) in try SQLiteStatement(handle, text) }
    }
}
