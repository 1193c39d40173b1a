import Foundation
import SQL
import Testing

/// What a statement answers, the same on every database.
@Suite(.timeLimit(.minutes(5)))
struct StatementTests {
    private func withTable(_ driver: Driver, _ body: (any Connection) throws -> Void) throws {
        let connection = try driver.database().connection()
        let text = connection.dialect == .mysql ? "varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" : "text"
        try connection.execute(
            """
            CREATE TABLE entry (`key` \(unsafeSQL: text) NOT NULL PRIMARY KEY, note \(unsafeSQL: text), size bigint NOT NULL)
            """)
        try body(connection)
    }

    private func insert(_ key: String, note: String? = nil, size: Int = 0) -> Query {
        "INSERT INTO entry (`key`, note, size) VALUES (\(key), \(note), \(size))"
    }

    @Test(arguments: Driver.allCases)
    func `an empty result has no rows, a thousand rows come in order`(driver: Driver) throws {
        try withTable(driver) { connection in
            #expect(try connection.rows("SELECT * FROM entry").isEmpty)
            #expect(try connection.rows("SELECT * FROM entry WHERE `key` = \("none")").isEmpty)
            try connection.transaction {
                for number in 0..<1_000 {
                    try connection.execute(insert("k\(number)", note: "n\(number)", size: number))
                }
            }
            let rows = try connection.rows("SELECT `key`, note, size FROM entry ORDER BY size")
            #expect(rows.count == 1_000)
            for (number, row) in rows.enumerated() {
                #expect(row.values == [.text("k\(number)"), .text("n\(number)"), .integer(Int64(number))])
            }
        }
    }

    @Test(arguments: Driver.allCases)
    func `an update counts the rows it matched, changed or not`(driver: Driver) throws {
        try withTable(driver) { connection in
            for key in ["a", "b", "c"] { try connection.execute(insert(key, size: 1)) }
            #expect(try connection.execute("UPDATE entry SET size = \(1)") == 3)
            #expect(try connection.execute("UPDATE entry SET size = 1") == 3)
            #expect(try connection.execute("UPDATE entry SET size = \(2) WHERE `key` = \("b")") == 1)
            #expect(try connection.execute("UPDATE entry SET size = \(2) WHERE `key` = \("z")") == 0)
            #expect(try connection.execute("SELECT size FROM entry") == 0)
            #expect(try connection.execute("CREATE TABLE other (x bigint)") == 0)
            #expect(try connection.execute("DELETE FROM entry WHERE size = \(1)") == 2)
        }
    }

    @Test(arguments: Driver.allCases)
    func `insert-or-ignore leaves a row that is there as it is`(driver: Driver) throws {
        try withTable(driver) { connection in
            #expect(try connection.execute(insert("a", note: "n2", size: 2)) == 1)
            let ignoring: (String) -> Query = { key in
                "\(unsafeSQL: connection.dialect.insertOrIgnore) entry (`key`, size) VALUES (\(key), 9)"
            }
            #expect(try connection.execute(ignoring("a")) == 0)
            #expect(try connection.execute(ignoring("b")) == 1)
            let rows = try connection.rows("SELECT `key`, note, size FROM entry ORDER BY `key`")
            #expect(rows.map(\.values) == [[.text("a"), .text("n2"), .integer(2)], [.text("b"), .null, .integer(9)]])
        }
    }

    @Test(arguments: Driver.allCases)
    func `a search finds the characters themselves, not wildcards`(driver: Driver) throws {
        try withTable(driver) { connection in
            for key in ["100%", "100x", "a_b", "axb", "wow!", "back\\slash", "it's"] {
                try connection.execute(insert(key))
            }
            for (text, expected) in [
                ("0%", "100%"), ("_", "a_b"), ("!", "wow!"), ("\\s", "back\\slash"), ("'", "it's"),
            ] {
                let rows = try connection.rows(
                    "SELECT `key` FROM entry WHERE `key` LIKE \(Dialect.contains(text)) ESCAPE '!'")
                #expect(rows.map(\.values) == [[.text(expected)]])
            }
        }
    }

    @Test(arguments: Driver.allCases)
    func `empty text is not NULL`(driver: Driver) throws {
        try withTable(driver) { connection in
            try connection.execute(insert("empty", note: ""))
            try connection.execute(insert("null", note: nil))
            #expect(
                try connection.rows("SELECT `key` FROM entry WHERE note IS NULL").map(\.values) == [[.text("null")]])
            #expect(
                try connection.rows("SELECT `key` FROM entry WHERE note = \("")").map(\.values) == [[.text("empty")]])
        }
    }

    @Test(arguments: Driver.allCases)
    func `the database's clock is UTC whatever the server's zone`(driver: Driver) throws {
        let connection = try driver.database().connection()
        let before = Date().timeIntervalSince1970
        let now = try #require(try connection.rows("SELECT \(unsafeSQL: connection.dialect.now)").first?.integer(0))
        let after = Date().timeIntervalSince1970
        #expect((before - 2) * 1_000 <= Double(now) && Double(now) <= (after + 2) * 1_000)
        if driver == .mariaDB {
            // So that datetimes read as text are UTC as well; the server itself runs in another zone.
            let zones = try connection.rows("SELECT @@session.time_zone, @@global.time_zone")
            #expect(zones.map(\.values) == [[.text("+00:00"), .text("+05:30")]])
        }
    }

    @Test(arguments: Driver.allCases)
    func `a sum of integers is an integer`(driver: Driver) throws {
        try withTable(driver) { connection in
            for (key, size) in [("a", 1), ("b", 2)] { try connection.execute(insert(key, size: size)) }
            let row = try #require(try connection.rows("SELECT SUM(size), COUNT(*), 1.5 * 2e0 FROM entry").first)
            #expect(row.values == [.integer(3), .integer(2), .real(3)])
        }
    }

    @Test(arguments: Driver.allCases)
    func `a column that changes its type under a statement is read by its new type`(driver: Driver) throws {
        let connection = try driver.database().connection()
        try connection.execute("CREATE TABLE shape (a bigint)")
        try connection.execute("INSERT INTO shape VALUES (\(5))")
        let query: Query = "SELECT * FROM shape WHERE 1 = \(1)"
        #expect(try connection.rows(query).map(\.values) == [[.integer(5)]])
        try connection.execute("DROP TABLE shape")
        try connection.execute("CREATE TABLE shape (a varchar(20), b double)")
        try connection.execute("INSERT INTO shape VALUES (\("five"), \(0.5))")
        #expect(try connection.rows(query).map(\.values) == [[.text("five"), .real(0.5)]])
    }

    @Test(arguments: Driver.allCases)
    func `more statements than are kept still work`(driver: Driver) throws {
        let connection = try driver.database().connection()
        for _ in 0..<2 {
            for number in 0..<200 {
                let rows = try connection.rows("SELECT \(unsafeSQL: String(number)) + \(1)")
                #expect(try rows.first?.integer(0) == Int64(number + 1))
            }
        }
    }

    @Test(arguments: Driver.allCases)
    func `the schema answers what exists`(driver: Driver) throws {
        try withTable(driver) { connection in
            try connection.execute("CREATE INDEX entry_size ON entry (size)")
            #expect(try connection.exists(.table("entry")))
            #expect(try !connection.exists(.table("none")))
            #expect(try connection.exists(.column(table: "entry", name: "note")))
            #expect(try !connection.exists(.column(table: "entry", name: "none")))
            #expect(try !connection.exists(.column(table: "none", name: "note")))
            #expect(try connection.exists(.index(table: "entry", name: "entry_size")))
            #expect(try !connection.exists(.index(table: "entry", name: "none")))
            #expect(try connection.exists(.columnType(table: "entry", name: "size", prefix: "bigint")))
            #expect(try !connection.exists(.columnType(table: "entry", name: "size", prefix: "varchar")))
        }
    }
}
