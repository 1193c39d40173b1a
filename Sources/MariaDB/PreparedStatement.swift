internal import CMariaDB
internal import SQL

/// A statement that the server has parsed, with the buffers through which it is run again and again.
@safe final class PreparedStatement {
    private let handle: StatementHandle
    private var parameters: ParameterBuffer
    private var result: ResultBuffer?

    init(_ connection: borrowing ConnectionHandle, _ text: String) throws(LibraryError) {
        let handle = try StatementHandle(connection, text)
        parameters = ParameterBuffer(count: handle.parameterCount)
        self.handle = handle
    }

    /// Sends the arguments and waits for the server; answers how many rows were matched or inserted.
    func run(_ arguments: [Value]) throws(LibraryError) -> Int {
        if arguments.count != parameters.count {
            throw .reported(number: 1210, message: "the statement has \(parameters.count) parameters")
        }
        let api = unsafe handle.api
        let statement = unsafe handle.statement
        if parameters.count > 0 {
            parameters.fill(arguments)
            unsafe try handle.check(api.pointee.mysql_stmt_bind_param(statement, parameters.binds) == 0)
        }
        unsafe try handle.check(api.pointee.mysql_stmt_execute(statement) == 0)
        // A statement that answers rows has matched "all bits set".
        return unsafe Int(exactly: api.pointee.mysql_stmt_affected_rows(statement)) ?? 0
    }

    /// Reads every row that `run` left to be read.
    func rows() throws(LibraryError) -> [Row] {
        let api = unsafe handle.api
        let statement = unsafe handle.statement
        var count: UInt32 = 0
        let first = unsafe cmariadb_statement_fields(statement, &count)
        let fields = unsafe UnsafeBufferPointer(start: first, count: Int(count))
        if fields.isEmpty { return [] }
        defer { unsafe _ = api.pointee.mysql_stmt_free_result(statement) }
        // A changed table changes the columns under a statement that is prepared.
        if unsafe result?.fits(fields) != true { unsafe result = ResultBuffer(fields) }
        var rows: [Row] = []
        unsafe try handle.check(result?.bind(api, statement) == true)
        while true {
            let code = unsafe api.pointee.mysql_stmt_fetch(statement)
            if code == MYSQL_NO_DATA { return rows }
            try handle.check(code == 0 || code == MYSQL_DATA_TRUNCATED)
            if let row = unsafe try result?.row(api, statement) { rows.append(row) }
        }
    }

    /// Drops a result that nobody reads, so that the connection is free for the next statement.
    func discardRows() {
        unsafe _ = handle.api.pointee.mysql_stmt_free_result(handle.statement)
    }
}
