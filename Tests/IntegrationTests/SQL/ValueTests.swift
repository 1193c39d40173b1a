import SQL
import Testing

@Suite(.timeLimit(.minutes(5)))
struct ValueTests {
    static let values: [(type: String, value: SQL.Value)] = [
        ("BIGINT", .integer(.max)), ("BIGINT", .integer(.min)), ("BIGINT", .integer(0)), ("BIGINT", .null),
        ("DOUBLE", .real(0.1)), ("DOUBLE", .real(-1e300)), ("DOUBLE", .null),
        ("VARCHAR(200)", .text("")), ("VARCHAR(200)", .null), ("VARCHAR(200)", .text("令牌 😀 𝒯 é")),
        ("VARCHAR(200)", .text("it's \\ \"quoted\" % _ ; -- ?")), ("TEXT", .text(String(repeating: "é", count: 8_000))),
        ("MEDIUMTEXT", .text(String(repeating: "x", count: 8 << 10))),
        ("MEDIUMTEXT", .text(String(repeating: "y", count: (8 << 10) + 1))),
        ("MEDIUMTEXT", .text(String(repeating: "0123456789abcdef", count: 4 << 10))),
        ("LONGTEXT", .text(String(repeating: "😀", count: 256 << 10))),
        ("BLOB", .blob([])), ("BLOB", .blob([0, 1, 0, 255, 0])), ("BLOB", .null),
        ("LONGBLOB", .blob((0..<1 << 20).map { UInt8(truncatingIfNeeded: $0) })),
    ]

    @Test(arguments: Driver.allCases)
    func `a value comes back as it went in`(driver: Driver) throws {
        let connection = try driver.database().connection()
        for (index, (type, value)) in Self.values.enumerated() {
            let table = "value_\(index)"
            try connection.execute(
                Query(unsafeSQL: "CREATE TABLE \(table) (`key` INTEGER PRIMARY KEY, `value` \(type))"))
            let inserted = try connection.execute(
                "INSERT INTO \(unsafeSQL: table) (`key`, `value`) VALUES (1, \(value))")
            #expect(inserted == 1)
            let rows = try connection.rows("SELECT `value`, `key` FROM \(unsafeSQL: table) WHERE `key` = \(1)")
            #expect(rows.count == 1)
            let isEqual = rows.first?.values == [value, .integer(1)]
            #expect(isEqual, "\(type), value \(index)")
        }
    }
}
