import SQL

/// A connection whose process is killed: after a number of statements that change something, everything fails.
final class InterruptedConnection: Connection {
    private let connection: any Connection
    private var left: Int

    /// - Parameter count: how many statements are done before the end.
    init(_ connection: any Connection, after count: Int) {
        self.connection = connection
        left = count
    }

    var isDead: Bool { left < 0 }
    var dialect: Dialect { connection.dialect }

    func execute(_ query: Query) throws(DatabaseError) -> Int {
        left -= 1
        try live()
        return try connection.execute(query)
    }

    func rows(_ query: Query) throws(DatabaseError) -> [Row] {
        try live()
        return try connection.rows(query)
    }

    func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        try live()
        return try connection.transaction(body)
    }

    func exists(_ object: SchemaObject) throws(DatabaseError) -> Bool {
        try live()
        return try connection.exists(object)
    }

    func close() {
        connection.close()
    }

    private func live() throws(DatabaseError) {
        if isDead { throw DatabaseError(.lost) }
    }
}
