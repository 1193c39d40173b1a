/// One value of a column or an argument, in the five types that every database here shares.
package enum Value: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

/// What may stand in a query literal as an argument.
package protocol Bindable {
    var sqlValue: Value { get }
}

extension Value: Bindable {
    package var sqlValue: Value { self }
}

extension String: Bindable {
    package var sqlValue: Value { .text(self) }
}

extension Int64: Bindable {
    package var sqlValue: Value { .integer(self) }
}

extension Int: Bindable {
    package var sqlValue: Value { .integer(Int64(self)) }
}

extension Double: Bindable {
    package var sqlValue: Value { .real(self) }
}

extension [UInt8]: Bindable {
    package var sqlValue: Value { .blob(self) }
}

extension Optional: Bindable where Wrapped: Bindable {
    package var sqlValue: Value { self?.sqlValue ?? .null }
}

/// One row of a result, read by column index.
package struct Row: Sendable, Equatable {
    package let values: [Value]

    package init(_ values: [Value]) {
        self.values = values
    }

    package func integer(_ column: Int) throws(DatabaseError) -> Int64 {
        if let value = try optionalInteger(column) { return value }
        throw unexpected(column)
    }

    package func text(_ column: Int) throws(DatabaseError) -> String {
        if let value = try optionalText(column) { return value }
        throw unexpected(column)
    }

    package func optionalInteger(_ column: Int) throws(DatabaseError) -> Int64? {
        switch values[column] {
        case .null: return nil
        case .integer(let value): return value
        default: throw unexpected(column)
        }
    }

    package func optionalText(_ column: Int) throws(DatabaseError) -> String? {
        switch values[column] {
        case .null: return nil
        case .text(let value): return value
        default: throw unexpected(column)
        }
    }

    private func unexpected(_ column: Int) -> DatabaseError {
        DatabaseError(.unexpectedType, number: column)
    }
}
