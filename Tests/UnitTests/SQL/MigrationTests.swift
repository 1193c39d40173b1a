import SQL
import Testing

struct MigrationTests {
    private func steps(_ text: String) throws -> [Migration.Step] {
        try Migration(number: 7, name: "test", parsing: text).steps
    }

    @Test func `a statement ends with a semicolon at the end of its line`() throws {
        let text =
            "CREATE TABLE a (\n    x text -- ; in a remark\n);\nINSERT INTO a VALUES ('one;two');   \r\n\nDROP TABLE a;"
        #expect(
            try steps(text) == [
                .init("CREATE TABLE a (\n    x text -- ; in a remark\n)"), .init("INSERT INTO a VALUES ('one;two')"),
                .init("DROP TABLE a"),
            ])
    }

    @Test(arguments: [
        ("-- unless table token", Migration.Guard.unless(.table("token"))),
        ("--   when table secret  ", .when(.table("secret"))),
        ("-- unless column secret.credentials", .unless(.column(table: "secret", name: "credentials"))),
        ("-- when column secret.key_1", .when(.column(table: "secret", name: "key_1"))),
        ("-- unless index secret.idx_x", .unless(.index(table: "secret", name: "idx_x"))),
        (
            "-- unless columnType secret.realm varchar(50) unsigned",
            .unless(.columnType(table: "secret", name: "realm", prefix: "varchar(50) unsigned"))
        ),
    ])
    func `a comment of this form is a guard of the next statement`(line: String, expected: Migration.Guard) throws {
        #expect(
            try steps("\(line)\nDROP TABLE x;\nDROP TABLE y;") == [
                .init("DROP TABLE x", guards: [expected]), .init("DROP TABLE y"),
            ])
    }

    @Test func `several guards belong to one statement, and other comments to none`() throws {
        let text =
            "-- About this.\n\n-- when table a\n-- because of b\n-- unless table b\nALTER TABLE a RENAME TO b;\n-- the end\n"
        #expect(
            try steps(text) == [.init("ALTER TABLE a RENAME TO b", guards: [.when(.table("a")), .unless(.table("b"))])])
    }

    @Test(arguments: ["", "\n\n", "-- only words\n"])
    func `a text without statements has no steps`(text: String) throws {
        #expect(try steps(text).isEmpty)
    }

    @Test(arguments: [
        ("DROP TABLE a", 1), ("-- unless table a\n", 2), ("-- unless table a\n\nDROP TABLE a;", 2),
        ("-- unless table", 1),
        ("-- unless column a\nDROP TABLE a;", 1), ("-- when table a.b\nDROP TABLE a;", 1),
        ("-- when columnType a.b\nDROP TABLE a;", 1), ("-- when index a.b c\nDROP TABLE a;", 1),
        ("DROP TABLE\n-- when table a\na;", 2), ("-- when column a.\nDROP TABLE a;", 1),
    ])
    func `a text that is not clear is refused with its line`(text: String, line: Int) {
        let error = #expect(throws: Migration.Malformed.self) { try steps(text) }
        #expect(error?.line == line)
        #expect(error?.description.hasPrefix("migration 7 test, line \(line): ") == true)
    }
}
