import MariaDB
import SQL
import SQLite
import Testing

/// The two drivers that every rule of the SQL layer is tried on.
enum Driver: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case mariaDB = "MariaDB"
    case sqlite = "SQLite"

    var testDescription: String { rawValue }

    /// A new, empty database.
    func database() throws -> TestDatabase {
        switch self {
        case .mariaDB: TestDatabase(url: try MariaDBServer.shared().freshDatabase())
        case .sqlite: TestDatabase(url: "sqlite:\(try ScratchFolder.make())/database")
        }
    }
}

/// An empty database.
struct TestDatabase: Sendable {
    let url: String

    /// A connection that waits minutes for an answer or a lock, as a busy machine may need.
    func connection() throws -> any Connection {
        switch try DatabaseURL(parsing: url) {
        case .mysql(let server): MariaDBConnection(.patient(server))
        case .sqlite(let file): SQLiteConnection(file: file, busyTimeout: .seconds(180))
        }
    }

    /// A connection that gives up on a lock after a second or less, and waits minutes for the server to say so.
    func impatientConnection() throws -> any Connection {
        switch try DatabaseURL(parsing: url) {
        case .mysql(let server):
            let connection = MariaDBConnection(.patient(server))
            try connection.execute("SET SESSION innodb_lock_wait_timeout = 1")
            return connection
        case .sqlite(let file): return SQLiteConnection(file: file, busyTimeout: .milliseconds(300))
        }
    }
}

/// The database's error that `body` ends with; nil when it has none.
func failure(of body: () throws -> some Any) -> DatabaseError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? DatabaseError
    }
}
