internal import Clocks
internal import SQL
internal import Tokens

/// Reads the columns of one row from left to right, and names the column that cannot be understood.
struct ColumnReader {
    private let row: Row
    private let names: [String]
    private var index = 0

    /// - Parameter names: the columns of the statement in their order, as `table.column`.
    init(_ row: Row, _ names: [String]) {
        self.row = row
        self.names = names
    }

    mutating func skip(_ count: Int) {
        index += count
    }

    mutating func optionalInteger() throws(StoreError) -> Int64? {
        defer { index += 1 }
        do {
            return try row.optionalInteger(index)
        } catch {
            throw broken("is not a whole number", at: index)
        }
    }

    mutating func integer() throws(StoreError) -> Int64 {
        guard let value = try optionalInteger() else { throw broken("is not set", at: index - 1) }
        return value
    }

    mutating func optionalText() throws(StoreError) -> String? {
        defer { index += 1 }
        do {
            return try row.optionalText(index)
        } catch {
            throw broken("is not text", at: index)
        }
    }

    mutating func text() throws(StoreError) -> String {
        guard let value = try optionalText() else { throw broken("is not set", at: index - 1) }
        return value
    }

    mutating func optionalInstant() throws(StoreError) -> Timestamp? {
        try optionalInteger().map { Timestamp(milliseconds: $0) }
    }

    mutating func instant() throws(StoreError) -> Timestamp {
        Timestamp(milliseconds: try integer())
    }

    /// Two columns that are set together or not at all.
    mutating func optionalVersion() throws(StoreError) -> Version? {
        let realm = try optionalInteger()
        guard let secret = try optionalInteger() else {
            if realm == nil { return nil }
            throw broken("is not set", at: index - 1)
        }
        guard let realm else { throw broken("is not set", at: index - 2) }
        return Version(realm: realm, secret: secret)
    }

    /// A word out of a fixed list.
    mutating func optionalWord<Word: RawRepresentable<String>>() throws(StoreError) -> Word? {
        guard let text = try optionalText() else { return nil }
        guard let word = Word(rawValue: text) else { throw broken("is none of the known words", at: index - 1) }
        return word
    }

    private func broken(_ problem: String, at index: Int) -> StoreError {
        .broken("\(names[index]) \(problem)")
    }
}
