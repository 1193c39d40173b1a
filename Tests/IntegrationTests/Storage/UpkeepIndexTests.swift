import Clocks
import Foundation
import SQL
import Storage
import Testing
import Tokens

/// The schedule's cost follows how many tokens are due, not how many are stored.
@Suite(.serialized) struct UpkeepIndexTests {
    private static let due = 20

    /// A table of `count` tokens, twenty of which are due.
    private func fill(_ connection: any SQL.Connection, _ count: Int) throws {
        try connection.execute(
            """
            INSERT INTO realm (id, logic_code, comment, recipe_version, revision, created_at, updated_at)
            VALUES ('wx', '', '', 1, 1, 1, 1)
            """)
        let numbers =
            connection.dialect == .mysql
            ? "SELECT seq AS n FROM seq_1_to_\(count)"
            : "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < \(count)) SELECT n FROM numbers"
        try connection.execute(
            Query(
                unsafeSQL: """
                    INSERT INTO token (realm, `key`, generation, fence, fails, doubts, marks, used_at, due_at)
                    SELECT 'wx', CONCAT_OR_PIPE, 1, 1, 0, 0, 0, 4102444800000,
                        CASE WHEN n <= \(Self.due) THEN 1000 + n ELSE 4102444800000 + n END
                    FROM (\(numbers)) AS numbered
                    """
                    .replacingOccurrences(
                        of: "CONCAT_OR_PIPE",
                        with: connection.dialect == .mysql ? "CONCAT('key-', n)" : "'key-' || n")))
    }

    @Test func `on MariaDB a tick reads as many rows as are due`() throws {
        let connection = try Driver.mariaDB.migratedDatabase().connection()
        try fill(connection, 100_000)
        let store = DatabaseStore(connection)
        _ = try store.due(limit: 50)
        let before = try rowsRead(connection)
        let found = try store.due(limit: 50).tokens
        let read = try rowsRead(connection) - before
        #expect(found.map(\.id.key) == (1...Self.due).map { "key-\($0)" })
        // A few rows for each: of the index, of the token, of the realm, of the list in between.
        #expect(read >= Int64(Self.due))
        #expect(read <= Int64(10 * Self.due))
    }

    private func rowsRead(_ connection: any SQL.Connection) throws -> Int64 {
        let rows = try connection.rows(
            """
            SELECT CAST(SUM(CAST(VARIABLE_VALUE AS SIGNED)) AS SIGNED) FROM information_schema.SESSION_STATUS
            WHERE VARIABLE_NAME IN ('HANDLER_READ_FIRST', 'HANDLER_READ_KEY', 'HANDLER_READ_NEXT', 'HANDLER_READ_RND',
                'HANDLER_READ_RND_NEXT')
            """)
        // What this reading itself reads is counted too, the same each time.
        return try #require(rows.first).integer(0)
    }

    @Test func `on SQLite a million stored tokens are found by the index alone`() throws {
        let connection = try Driver.sqlite.migratedDatabase().connection()
        try fill(connection, 1_000_000)
        let counting = CountingConnection(connection)
        #expect(try DatabaseStore(counting).due(limit: 50).tokens.count == Self.due)
        // The plan of the very statement that the store sent.
        let query = try #require(counting.queries.last { $0.text.contains("due_at") })
        let explained = Query(unsafeSQL: "EXPLAIN QUERY PLAN " + query.text, arguments: query.arguments)
        let plan = try connection.rows(explained).map { try $0.text(3) }
        #expect(plan.contains("SEARCH token USING INDEX token_due (due_at<?)"), "\(plan)")
        #expect(!plan.contains { $0.hasPrefix("SCAN token") || $0.hasPrefix("SCAN realm") }, "\(plan)")
    }
}
