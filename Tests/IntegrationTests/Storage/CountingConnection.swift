import SQL

/// Remembers every statement.
final class CountingConnection: Connection {
    private let connection: any Connection
    var statements: [String] = []
    /// The same with their arguments, as they can be run again.
    private(set) var queries: [Query] = []

    init(_ connection: any Connection) {
        self.connection = connection
    }

    var dialect: Dialect { connection.dialect }

    func execute(_ query: Query) throws(DatabaseError) -> Int {
        statements.append(query.text)
        queries.append(query)
        return try connection.execute(query)
    }

    func rows(_ query: Query) throws(DatabaseError) -> [Row] {
        statements.append(query.text)
        queries.append(query)
        return try connection.rows(query)
    }

    func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        try connection.transaction(body)
    }

    func exists(_ object: SchemaObject) throws(DatabaseError) -> Bool {
        try connection.exists(object)
    }

    func close() {
        connection.close()
    }
}
