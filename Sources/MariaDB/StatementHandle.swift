internal import CMariaDB

/// What the library answered instead of a result.
enum LibraryError: Error {
    case reported(number: UInt32, message: String)
    /// A value does not fit the type its column has among the shared ones.
    case unexpectedType(column: Int)
}

/// The owner of one `MYSQL_STMT`, prepared from its first moment.
///
/// It may outlive its connection: closing that detaches it, and only its memory is left to free.
@safe struct StatementHandle: ~Copyable {
    let api: UnsafePointer<cmariadb_table>
    let statement: UnsafeMutablePointer<MYSQL_STMT>
    /// Only to be read while the connection lives: in a call on it that has just failed.
    private let mysql: UnsafeMutablePointer<MYSQL>

    init(_ connection: borrowing ConnectionHandle, _ text: String) throws(LibraryError) {
        let api = unsafe connection.api
        guard let statement = unsafe api.pointee.mysql_stmt_init(connection.mysql) else {
            throw .reported(number: UInt32(CR_OUT_OF_MEMORY), message: "")
        }
        if unsafe api.pointee.mysql_stmt_prepare(statement, text, UInt(text.utf8.count)) != 0 {
            let error = unsafe Self.error(api, statement, connection.mysql)
            unsafe _ = api.pointee.mysql_stmt_close(statement)
            throw error
        }
        unsafe self.api = api
        unsafe self.statement = statement
        unsafe mysql = connection.mysql
    }

    deinit {
        unsafe _ = api.pointee.mysql_stmt_close(statement)
    }

    var parameterCount: Int {
        unsafe Int(api.pointee.mysql_stmt_param_count(statement))
    }

    func check(_ succeeded: Bool) throws(LibraryError) {
        if !succeeded { throw unsafe Self.error(api, statement, mysql) }
    }

    private static func error(
        _ api: UnsafePointer<cmariadb_table>, _ statement: UnsafeMutablePointer<MYSQL_STMT>,
        _ mysql: UnsafeMutablePointer<MYSQL>
    ) -> LibraryError {
        // A row that cannot be read is noted with the connection alone.
        if unsafe api.pointee.mysql_stmt_errno(statement) == 0 {
            return unsafe .reported(
                number: api.pointee.mysql_errno(mysql), message: String(cString: cmariadb_message(api, mysql)))
        }
        return unsafe .reported(
            number: api.pointee.mysql_stmt_errno(statement),
            message: String(cString: cmariadb_statement_message(api, statement)))
    }
}
