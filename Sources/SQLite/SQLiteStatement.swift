internal import CSQLite
internal import SQL

/// A compiled statement, run again and again.
@safe final class SQLiteStatement {
    private let statement: OpaquePointer
    private let parameterCount: Int

    init(_ handle: borrowing DatabaseHandle, _ text: String) throws(DatabaseError) {
        var compiled: OpaquePointer?
        var text = text
        let database = unsafe handle.database
        let (code, isWhole) = text.withUTF8 { utf8 in
            unsafe utf8.withMemoryRebound(to: CChar.self) { characters in
                var tail: UnsafePointer<CChar>?
                let code = unsafe sqlite3_prepare_v3(
                    database, characters.baseAddress, Int32(clamping: characters.count),
                    UInt32(SQLITE_PREPARE_PERSISTENT),
                    &compiled, &tail)
                let used = unsafe characters.baseAddress.flatMap { base in unsafe tail.map { unsafe $0 - base } } ?? 0
                return (code, unsafe characters.dropFirst(used).allSatisfy { $0 <= 0x20 || $0 == 0x3B })
            }
        }
        if code != SQLITE_OK { throw handle.error(code) }
        guard isWhole, let statement = unsafe compiled else {
            unsafe sqlite3_finalize(compiled)
            throw DatabaseError(.syntax, number: Int(SQLITE_ERROR), serverMessage: "not one statement")
        }
        unsafe self.statement = statement
        parameterCount = unsafe Int(sqlite3_bind_parameter_count(statement))
    }

    deinit {
        unsafe sqlite3_finalize(statement)
    }

    /// Binds `arguments`, runs to the end and hands over every row.
    func run(
        _ arguments: [Value], _ handle: borrowing DatabaseHandle, _ read: (Row) -> Void
    ) throws(DatabaseError) {
        if arguments.count != parameterCount {
            let message = "the statement has \(parameterCount) parameters"
            throw DatabaseError(.syntax, number: Int(SQLITE_RANGE), serverMessage: message)
        }
        // Reset ends its read transaction; clearing gives back what large arguments took.
        defer {
            unsafe sqlite3_reset(statement)
            unsafe sqlite3_clear_bindings(statement)
        }
        for (index, value) in arguments.enumerated() {
            let code = bind(value, Int32(index + 1))
            if code != SQLITE_OK { throw handle.error(code) }
        }
        while true {
            let code = unsafe sqlite3_step(statement)
            switch code {
            case SQLITE_ROW: read(row())
            case SQLITE_DONE: return
            default: throw handle.error(code)
            }
        }
    }

    private func bind(_ value: Value, _ index: Int32) -> Int32 {
        switch value {
        case .null:
            return unsafe sqlite3_bind_null(statement, index)
        case .integer(let number):
            return unsafe sqlite3_bind_int64(statement, index, number)
        case .real(let number):
            return unsafe sqlite3_bind_double(statement, index, number)
        case .text(var text):
            let statement = unsafe statement
            return text.withUTF8 { utf8 in
                unsafe csqlite_bind_text(statement, index, utf8.baseAddress, UInt64(utf8.count))
            }
        case .blob(let bytes):
            return unsafe bytes.withUnsafeBytes { buffer in
                unsafe csqlite_bind_blob(statement, index, buffer.baseAddress, UInt64(buffer.count))
            }
        }
    }

    private func row() -> Row {
        // Asked at every row: a changed table compiles the statement anew under it.
        let count = unsafe sqlite3_data_count(statement)
        var values: [Value] = []
        values.reserveCapacity(Int(count))
        for column in 0..<count { values.append(value(column)) }
        return Row(values)
    }

    private func value(_ column: Int32) -> Value {
        switch unsafe sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER:
            return unsafe .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT:
            return unsafe .real(sqlite3_column_double(statement, column))
        case SQLITE_TEXT:
            // The order matters: asking for the text may convert it, and only then is the size right.
            let start = unsafe sqlite3_column_text(statement, column)
            let size = unsafe Int(sqlite3_column_bytes(statement, column))
            return unsafe .text(String(decoding: UnsafeBufferPointer(start: start, count: size), as: UTF8.self))
        case SQLITE_BLOB:
            let start = unsafe sqlite3_column_blob(statement, column)
            let size = unsafe Int(sqlite3_column_bytes(statement, column))
            return unsafe .blob(Array(UnsafeRawBufferPointer(start: start, count: size)))
        default:
            return .null
        }
    }
}
