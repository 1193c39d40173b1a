import SQL

/// A connection that tells of every statement which changes something before it is run, and runs it unless that throws; and of every
/// other one after it has answered.
final class HookedConnection: Connection {
    private let connection: any Connection
    var beforeExecuting: (Query) throws(DatabaseError) -> Void = { _ in }
    var afterReading: (Query) -> Void = { _ in }

    init(_ connection: any Connection) {
        self.connection = connection
    }

    var dialect: Dialect { connection.dialect }

    func execute(_ query: Query) throws(DatabaseError) -> Int {
        try beforeExecuting(query)
        return try connection.execute(query)
    }

    func rows(_ query: Query) throws(DatabaseError) -> [Row] {
        let rows = try connection.rows(query)
        afterReading(query)
        return rows
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
