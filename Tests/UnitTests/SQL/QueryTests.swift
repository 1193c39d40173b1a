import SQL
import Testing

struct QueryTests {
    @Test func `what is interpolated becomes an argument, never text`() {
        let hostile = "' OR 1 = 1; --"
        let limit: Int? = nil
        let query: Query = "SELECT a FROM b WHERE c = \(hostile) AND d = \(7) AND e = \([UInt8(1)]) LIMIT \(limit)"
        #expect(query.text == "SELECT a FROM b WHERE c = ? AND d = ? AND e = ? LIMIT ?")
        #expect(query.arguments == [.text(hostile), .integer(7), .blob([1]), .null])
    }

    @Test func `a query inside a query keeps its arguments in order`() {
        let condition: Query = "b = \(2)"
        let query: Query = "SELECT \(1) WHERE \(condition) AND c = \(3) \(unsafeSQL: "FOR UPDATE")"
        #expect(query.text == "SELECT ? WHERE b = ? AND c = ? FOR UPDATE")
        #expect(query.arguments == [.integer(1), .integer(2), .integer(3)])
    }

    @Test func `the wildcards of a search text are escaped`() {
        #expect(Dialect.contains("50%_!x") == "%50!%!_!!x%")
        #expect(Dialect.contains("") == "%%")
    }
}
