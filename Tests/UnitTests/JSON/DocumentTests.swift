import JSON
import Testing

@Suite struct `JSON document read in place` {
    private func document(_ text: String) throws -> Document {
        try Document(parsing: text.utf8)
    }

    @Test func `members are found by name, past values of any size`() throws {
        let document = try document(
            #"{"a":{"b":[1,[2],{"c":"x"}]},"b":"top","n":null,"t":true,"f":false,"k\u0065y":"\u00e9\n"}"#)
        let inner = try #require(document.member("a", of: .root))
        #expect(document.kind(inner) == .object)
        #expect(document.member("b", of: .root).flatMap(document.string) == "top")
        #expect(document.member("b", of: inner).map(document.kind) == .array)
        #expect(document.member("n", of: .root).map(document.kind) == .null)
        #expect(document.member("t", of: .root).flatMap(document.bool) == true)
        #expect(document.member("f", of: .root).flatMap(document.bool) == false)
        let escaped = try #require(document.member("key", of: .root))
        #expect(document.string(escaped) == "é\n")
        #expect(document.stringBytes(escaped) == Array("é\n".utf8))
        #expect(document.isString(escaped, "é\n"))
        #expect(!document.isString(escaped, "é"))
        #expect(document.member("c", of: .root) == nil)
        #expect(document.member("a", of: escaped) == nil)
        #expect(document.string(inner) == nil)
        #expect(document.number(inner) == nil)
        #expect(document.bool(inner) == nil)
    }

    @Test func `members and elements come in order, until the reader has enough`() throws {
        let document = try document(#"{"z":[10,{"skip":[1]},30],"a":1,"m":2}"#)
        var names: [String] = []
        document.forEachMember(of: .root) { name, _ in
            names.append(document.string(name) ?? "?")
            return names.count < 2
        }
        #expect(names == ["z", "a"])
        var elements: [Int64?] = []
        document.forEachElement(of: try #require(document.member("z", of: .root))) {
            elements.append(document.number($0)?.integer)
            return true
        }
        #expect(elements == [10, nil, 30])
        document.forEachElement(of: .root) { _ in
            Issue.record("an object has no elements")
            return true
        }
    }

    @Test func `a string is appended to the caller's buffer, unescaped`() throws {
        let document = try document(#"["plain","\"\\\/\b\f\n\r\t\u20ac\ud834\udd1e",1]"#)
        var buffer: [UInt8] = Array(">".utf8)
        var answers: [Bool] = []
        document.forEachElement(of: .root) {
            answers.append(document.appendString($0, to: &buffer))
            return true
        }
        #expect(answers == [true, true, false])
        #expect(buffer == Array(">plain\"\\/\u{8}\u{C}\n\r\t€𝄞".utf8))
    }

    @Test func `a document that refused its text reads as null, then reads the next`() throws {
        var document = Document()
        #expect(document.value() == .null)
        try document.parse(Array("[1]".utf8))
        #expect(throws: ParseError.self) { try document.parse(Array("[1,{\"a\":[".utf8)) }
        #expect(document.value() == .null)
        #expect(document.member("a", of: .root) == nil)
        #expect(throws: ParseError.self) { try document.parse(Array("[1]".utf8), limits: Limits(bytes: 2)) }
        #expect(document.value() == .null)
        try document.parse(Array("xx[2]".utf8)[2...])
        #expect(document.value() == [2])
    }

    @Test func `every way to hand over bytes reads the same`() throws {
        let text = #"{"a":[1,"é"]}"#
        var document = Document()
        try document.parse(AnySequence(text.utf8))
        let value = document.value()
        #expect(value == ["a": [1, "é"]])
        try document.parse(Array(text.utf8).span)
        #expect(document.value() == value)
        #expect(try Value(parsing: text.utf8) == value)
        #expect(try Value(parsing: ContiguousArray(text.utf8)) == value)
    }
}
