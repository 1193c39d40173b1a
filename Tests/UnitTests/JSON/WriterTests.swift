import JSON
import Testing

@Suite struct `JSON writer` {
    @Test func `every scalar up to U+0800 comes back through the reader`() throws {
        for scalar in (0..<0x800).compactMap(Unicode.Scalar.init) {
            let text = "a\(scalar)b\\\(scalar)"
            let written = Value.string(text).encoded
            #expect(!written.contains { $0 < 0x20 })
            #expect(try Value(parsing: written) == .string(text))
        }
    }

    @Test(arguments: [
        ("a\\\nb", #""a\\\nb""#), ("\\", #""\\""#), ("\\\u{1}", #""\\\u0001""#), ("\"", #""\"""#),
        ("\u{8}\u{C}\r\t\u{1F}\u{7F}", #""\b\f\r\t\u001f\u007f""#),
        ("", #""""#), ("/é𝄞\u{2028}", "\"/é𝄞\u{2028}\""),
        ("a long plain text before\nand after", #""a long plain text before\nand after""#),
    ])
    func `a string is escaped where it must be`(text: String, written: String) {
        #expect(Value.string(text).text == written)
    }

    @Test func `commas stand between, never before or after`() {
        var writer = Writer()
        for _ in 0..<2 {
            writer.beginObject()
            writer.name("a")
            writer.beginArray()
            writer.integer(.min)
            writer.null()
            writer.beginObject()
            writer.endObject()
            writer.bool(true)
            writer.endArray()
            writer.name("b\n")
            writer.value(["c": [false, 1]])
            writer.name("d")
            writer.string("x")
            writer.endObject()
            #expect(
                String(decoding: writer.bytes, as: UTF8.self)
                    == #"{"a":[-9223372036854775808,null,{},true],"b\n":{"c":[false,1]},"d":"x"}"#)
            writer.reset()
            #expect(writer.bytes.isEmpty)
        }
    }
}
