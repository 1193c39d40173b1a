import SQL
import Testing

@Suite struct StatementCacheTests {
    @Test func `a statement is prepared once, and again when others have pushed it out`() {
        var cache = StatementCache<String>(limit: 2)
        var prepared: [String] = []
        func use(_ text: String) -> String {
            cache.statement(text) {
                prepared.append(text)
                return "prepared \(text)"
            }
        }
        #expect(use("a") == "prepared a")
        _ = use("b")
        _ = use("a")
        // `b` was used longest ago.
        _ = use("c")
        _ = use("a")
        #expect(prepared == ["a", "b", "c"])
        _ = use("b")
        #expect(prepared == ["a", "b", "c", "b"])
    }

    @Test func `what cannot be prepared is not kept`() {
        struct Failure: Error {}
        var cache = StatementCache<Int>()
        #expect(throws: Failure.self) {
            _ = try cache.statement("x") { () throws(Failure) in throw Failure() }
        }
        let statement = cache.statement("x") { 1 }
        #expect(statement == 1)
    }
}
