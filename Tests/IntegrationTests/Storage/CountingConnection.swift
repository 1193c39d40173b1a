import SQL

/// Remembers the text of every statement.
final class CountingConnection: Connection {
    private let connection: any Connection
    var statements: [String] = []

    init(_ connection: any Connection) {
        self.connection = connection
    }

    var dialect: Dialect { connection.dialect }

    func execute(_ query: Query) throws(DatabaseError) -> Int {
        statements.append(query.text)
        return try connection.execute(query)
    }

    func rows(_ query: Query) throws(DatabaseError) -> [Row] {
        statements.append(query.text)
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
