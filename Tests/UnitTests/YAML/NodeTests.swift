import Testing
import YAML

@Suite struct `YAML nodes` {
    private func node(_ text: String) throws -> Node { try Node(parsing: Array(text.utf8)) }

    @Test func `a document is a tree of text with tags and lines`() throws {
        let root = try node("a: 1\nb:\n  - !Sub 'x ${y}'\n  - \"2\"\nc: !If [p, {q: r}, s]\n")
        #expect(root["a"]?.text == "1")
        #expect(root["b"]?.elements?.map(\.text) == ["x ${y}", "2"])
        #expect(root["b"]?.elements?[0].tag == "!Sub")
        #expect(root["b"]?.elements?[0].line == 3)
        #expect(root["c"]?.tag == "!If")
        #expect(root["c"]?.elements?[1]["q"]?.text == "r")
        #expect(root["none"] == nil)
    }

    @Test(arguments: [
        ("a: [1", 2, "parser"), ("a: 1\na: 2", 2, "twice"), ("[a]: 1", 1, "key"), ("", 1, "empty"),
        ("a: \"\\q\"", 1, "escape"),
    ])
    func `what is no document is told with its line`(text: String, line: Int, word: String) throws {
        let error = #expect(throws: ParseError.self) { try node(text) }
        #expect(error?.line == line, "\(String(describing: error))")
        if word != "parser" { #expect(error?.reason.contains(word) == true, "\(String(describing: error))") }
    }

    @Test func `aliases are bounded, also those that hold themselves`() throws {
        #expect(try node("a: &x 1\nb: *x")["b"]?.text == "1")
        #expect(throws: ParseError.self) { try node("a: &x [*x]") }
        let levels = (0..<20).map { level in
            "l\(level): &l\(level) [\(Array(repeating: level == 0 ? "1" : "*l\(level - 1)", count: 10).joined(separator: ", "))]"
        }
        #expect(throws: ParseError.self) { try node(levels.joined(separator: "\n")) }
        #expect(throws: ParseError.self) {
            try node(String(repeating: "[", count: 100) + String(repeating: "]", count: 100))
        }
    }
}
