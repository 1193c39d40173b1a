internal import SQL

/// A connection that notes what it is asked.
final class NotingConnection: Connection {
    private let connection: any Connection
    private(set) var queries: [Query] = []
    /// The same by verb and table, with the ends of transactions.
    private(set) var statements: [String] = []

    init(_ connection: any Connection) {
        self.connection = connection
    }

    var dialect: Dialect { connection.dialect }

    func forget() {
        queries = []
        statements = []
    }

    private func note(_ query: Query) {
        queries.append(query)
        let words = query.text.split(whereSeparator: \.isWhitespace)
        let verb = words.first.map { $0.lowercased() } ?? ""
        let before: Set<Substring> = ["FROM", "UPDATE", "INTO"]
        let table = zip(words, words.dropFirst()).first { before.contains($0.0) }?.1 ?? ""
        statements.append("\(verb) \(table)")
    }

    @discardableResult
    func execute(_ query: Query) throws(DatabaseError) -> Int {
        note(query)
        return try connection.execute(query)
    }

    func rows(_ query: Query) throws(DatabaseError) -> [Row] {
        note(query)
        return try connection.rows(query)
    }

    @discardableResult
    func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        statements.append("begin")
        defer { statements.append("commit") }
        return try connection.transaction(body)
    }

    func close() {
        connection.close()
    }

    func exists(_ object: SchemaObject) throws(DatabaseError) -> Bool {
        try connection.exists(object)
    }
}
