/// One connection to a database, opened by the first statement.
///
/// One value belongs to one worker.
///
/// A connection that is found dead *before* a statement was sent (a freeze, a server's idle timeout) is opened again
/// once, silently, unless a transaction is open. A connection that breaks *under* a statement throws `.lost` or
/// `.timeout`: the statement may have run. The next statement opens a new connection.
package protocol Connection: AnyObject {
    var dialect: Dialect { get }

    /// Runs a statement; answers how many rows it matched (`UPDATE`, `DELETE`) or inserted.
    @discardableResult
    func execute(_ query: Query) throws(DatabaseError) -> Int

    /// Runs a statement and reads every row.
    func rows(_ query: Query) throws(DatabaseError) -> [Row]

    /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// A lost deadlock runs `body` again, three times in all. A connection that breaks inside throws.
    @discardableResult
    func transaction<Result>(_ body: () throws -> Result) throws -> Result

    /// Whether the table, and of it the column or index, exists.
    func exists(_ object: SchemaObject) throws(DatabaseError) -> Bool

    /// Closes the connection; the next statement opens it again.
    func close()
}

/// A part of the schema, as migrations ask for it.
package enum SchemaObject: Sendable, Equatable {
    case table(String)
    case column(table: String, name: String)
    case index(table: String, name: String)
    /// A column whose type, in lower case as the database spells it, starts with this text.
    case columnType(table: String, name: String, prefix: String)
}
