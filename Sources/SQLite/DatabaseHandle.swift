internal import CSQLite
internal import SQL

/// The owner of one open `sqlite3`.
///
/// Closed by `sqlite3_close_v2`: statements that live a little longer keep its memory until they end.
@safe struct DatabaseHandle: ~Copyable {
    let database: OpaquePointer

    init(file: String) throws(DatabaseError) {
        var opened: OpaquePointer?
        // No mutex: a connection belongs to one worker.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = unsafe sqlite3_open_v2(file, &opened, flags, nil)
        guard code == SQLITE_OK, let database = unsafe opened else {
            unsafe sqlite3_close_v2(opened)
            throw DatabaseError(.unavailable, number: Int(code))
        }
        unsafe self.database = database
    }

    deinit {
        unsafe sqlite3_close_v2(database)
    }

    /// The error of the call that failed last.
    func error(_ code: Int32) -> DatabaseError {
        let message = unsafe String(cString: sqlite3_errmsg(database))
        return DatabaseError(Self.classify(code, message), number: Int(code), serverMessage: message)
    }

    /// By extended result code (https://www.sqlite.org/rescode.html).
    private static func classify(_ code: Int32, _ message: String) -> DatabaseError.Code {
        switch code {
        case SQLITE_CONSTRAINT | 6 << 8, SQLITE_CONSTRAINT | 8 << 8, SQLITE_CONSTRAINT | 10 << 8:
            return .uniqueViolation
        case SQLITE_CONSTRAINT | 3 << 8: return .foreignKeyViolation
        case SQLITE_BUSY | 2 << 8: return .deadlock  // The snapshot is too old to be written to.
        default: break
        }
        switch code & 0xFF {
        case SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_TOOBIG: return .constraintViolation
        case SQLITE_BUSY, SQLITE_LOCKED: return .lockTimeout
        case SQLITE_READONLY: return .readOnly
        case SQLITE_CANTOPEN, SQLITE_IOERR: return .unavailable
        case SQLITE_PERM, SQLITE_AUTH: return .accessDenied
        case SQLITE_SCHEMA: return .schema
        case SQLITE_RANGE: return .syntax
        // One code for all that is wrong with a text; only the words tell.
        case SQLITE_ERROR:
            let isSyntax =
                ["near ", "incomplete input", "unrecognized token"].contains { message.hasPrefix($0) }
                || message.contains("syntax error")
            if isSyntax { return .syntax }
            let isSchema = [
                "no such ", "has no column", "already exists", "duplicate column", "there is already",
            ].contains { message.contains($0) }
            return isSchema ? .schema : .other
        default: return .other
        }
    }
}
