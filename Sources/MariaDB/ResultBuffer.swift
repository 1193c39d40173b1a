internal import CMariaDB
internal import SQL

/// The columns of a prepared statement's result, where the library writes one row after the other.
@safe struct ResultBuffer: ~Copyable {
    /// What fits without a second call; longer values are fetched straight into the value that is returned.
    private static let textCapacity = 8 << 10

    private enum Kind {
        case integer, real, text, blob
    }

    private let binds: UnsafeMutablePointer<MYSQL_BIND>
    private let types: [enum_field_types]
    private let kinds: [Kind]
    private let scalars: UnsafeMutablePointer<UInt64>
    private let lengths: UnsafeMutablePointer<UInt>
    private let nulls: UnsafeMutablePointer<my_bool>
    private let truncations: UnsafeMutablePointer<my_bool>
    /// The buffers of all texts and blobs, one behind the other.
    private let bytes: UnsafeMutableRawPointer

    init(_ fields: UnsafeBufferPointer<MYSQL_FIELD>) {
        let count = fields.count
        let types = unsafe fields.map { unsafe $0.type }
        let kinds = unsafe fields.map { unsafe Self.kind($0) }
        let capacities = unsafe zip(kinds, fields).map { kind, field in
            unsafe kind == .text || kind == .blob ? min(Int(clamping: field.length), Self.textCapacity) : 0
        }
        let binds = UnsafeMutablePointer<MYSQL_BIND>.allocate(capacity: count)
        let scalars = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
        let lengths = UnsafeMutablePointer<UInt>.allocate(capacity: count)
        let nulls = UnsafeMutablePointer<my_bool>.allocate(capacity: count)
        let truncations = UnsafeMutablePointer<my_bool>.allocate(capacity: count)
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: capacities.reduce(1, +), alignment: 8)
        unsafe binds.initialize(repeating: MYSQL_BIND(), count: count)
        unsafe scalars.initialize(repeating: 0, count: count)
        unsafe lengths.initialize(repeating: 0, count: count)
        unsafe nulls.initialize(repeating: 0, count: count)
        unsafe truncations.initialize(repeating: 0, count: count)
        var offset = 0
        for index in 0..<count {
            unsafe binds[index].length = lengths + index
            unsafe binds[index].is_null = nulls + index
            unsafe binds[index].error = truncations + index
            switch kinds[index] {
            case .integer, .real:
                unsafe binds[index].buffer_type = kinds[index] == .integer ? MYSQL_TYPE_LONGLONG : MYSQL_TYPE_DOUBLE
                unsafe binds[index].buffer = UnsafeMutableRawPointer(scalars + index)
                unsafe binds[index].buffer_length = 8
            case .text, .blob:
                unsafe binds[index].buffer_type = kinds[index] == .text ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB
                unsafe binds[index].buffer = bytes + offset
                unsafe binds[index].buffer_length = UInt(capacities[index])
                offset += capacities[index]
            }
        }
        self.types = types
        self.kinds = kinds
        unsafe self.binds = binds
        unsafe self.scalars = scalars
        unsafe self.lengths = lengths
        unsafe self.nulls = nulls
        unsafe self.truncations = truncations
        unsafe self.bytes = bytes
    }

    deinit {
        unsafe binds.deallocate()
        unsafe scalars.deallocate()
        unsafe lengths.deallocate()
        unsafe nulls.deallocate()
        unsafe truncations.deallocate()
        unsafe bytes.deallocate()
    }

    /// Whether it was made for these columns; a changed table changes them under a prepared statement.
    func fits(_ fields: UnsafeBufferPointer<MYSQL_FIELD>) -> Bool {
        guard types.count == fields.count else { return false }
        return types.indices.allSatisfy { index in
            unsafe types[index] == fields[index].type && kinds[index] == Self.kind(fields[index])
        }
    }

    /// Tells the library where to write; false when it refuses.
    func bind(_ api: UnsafePointer<cmariadb_table>, _ statement: UnsafeMutablePointer<MYSQL_STMT>) -> Bool {
        unsafe api.pointee.mysql_stmt_bind_result(statement, binds) == 0
    }

    /// The row that was fetched last.
    func row(_ api: UnsafePointer<cmariadb_table>, _ statement: UnsafeMutablePointer<MYSQL_STMT>) throws(LibraryError)
        -> Row
    {
        var values: [Value] = []
        values.reserveCapacity(kinds.count)
        for column in kinds.indices {
            unsafe values.append(try value(column, api, statement))
        }
        return Row(values)
    }

    private func value(
        _ column: Int, _ api: UnsafePointer<cmariadb_table>, _ statement: UnsafeMutablePointer<MYSQL_STMT>
    ) throws(LibraryError) -> Value {
        if unsafe nulls[column] != 0 { return .null }
        let size = unsafe Int(lengths[column])
        let isWhole = unsafe size <= Int(binds[column].buffer_length)
        switch kinds[column] {
        case .integer:
            // An unsigned number beyond 63 bits, or a decimal that is none.
            if unsafe truncations[column] != 0 { throw .unexpectedType(column: column) }
            return unsafe .integer(Int64(bitPattern: scalars[column]))
        case .real:
            return unsafe .real(Double(bitPattern: scalars[column]))
        case .text where isWhole:
            let buffer = unsafe UnsafeRawBufferPointer(start: binds[column].buffer, count: size)
            return unsafe .text(String(decoding: buffer, as: UTF8.self))
        case .text:
            var isFetched = true
            let text = unsafe String(unsafeUninitializedCapacity: size) { buffer in
                isFetched = unsafe Self.fetch(
                    column, into: UnsafeMutableRawBufferPointer(buffer), api, statement, MYSQL_TYPE_STRING)
                return isFetched ? size : 0
            }
            if !isFetched { throw .reported(number: UInt32(CR_SERVER_LOST), message: "a long value was not read") }
            return .text(text)
        case .blob where isWhole:
            return unsafe .blob(Array(UnsafeRawBufferPointer(start: binds[column].buffer, count: size)))
        case .blob:
            var isFetched = true
            let blob = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                isFetched = unsafe Self.fetch(
                    column, into: UnsafeMutableRawBufferPointer(buffer), api, statement, MYSQL_TYPE_BLOB)
                count = isFetched ? size : 0
            }
            if !isFetched { throw .reported(number: UInt32(CR_SERVER_LOST), message: "a long value was not read") }
            return .blob(blob)
        }
    }

    /// Reads a value longer than its buffer, whole; it lies in the library's memory already.
    ///
    /// False where that fails.
    private static func fetch(
        _ column: Int, into buffer: UnsafeMutableRawBufferPointer, _ api: UnsafePointer<cmariadb_table>,
        _ statement: UnsafeMutablePointer<MYSQL_STMT>, _ type: enum_field_types
    ) -> Bool {
        var length: UInt = 0
        var isNull: my_bool = 0
        return unsafe withUnsafeMutablePointer(to: &length) { length in
            unsafe withUnsafeMutablePointer(to: &isNull) { isNull in
                var bind = unsafe MYSQL_BIND()
                unsafe bind.buffer_type = type
                unsafe bind.buffer = buffer.baseAddress
                unsafe bind.buffer_length = UInt(buffer.count)
                unsafe bind.length = length
                unsafe bind.is_null = isNull
                return unsafe api.pointee.mysql_stmt_fetch_column(statement, &bind, UInt32(column), 0) == 0
            }
        }
    }

    /// The type among the five shared ones; 63 is the character set `binary`, which times and JSON carry too.
    private static func kind(_ field: MYSQL_FIELD) -> Kind {
        switch unsafe field.type {
        case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_INT24, MYSQL_TYPE_LONG, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_YEAR:
            .integer
        // SUM() of integers is a decimal without a fraction here and an integer in SQLite.
        case MYSQL_TYPE_NEWDECIMAL, MYSQL_TYPE_DECIMAL: unsafe field.decimals == 0 ? .integer : .real
        case MYSQL_TYPE_FLOAT, MYSQL_TYPE_DOUBLE: .real
        case MYSQL_TYPE_TINY_BLOB, MYSQL_TYPE_MEDIUM_BLOB, MYSQL_TYPE_LONG_BLOB, MYSQL_TYPE_BLOB, MYSQL_TYPE_STRING,
            MYSQL_TYPE_VAR_STRING, MYSQL_TYPE_VARCHAR, MYSQL_TYPE_BIT:
            unsafe field.charsetnr == 63 ? .blob : .text
        default: .text
        }
    }
}
