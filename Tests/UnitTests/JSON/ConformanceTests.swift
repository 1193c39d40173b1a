import JSON
import Testing

/// Inputs written from the descriptions of the public JSONTestSuite (Parsing JSON is a Minefield).
@Suite struct `JSON conformance` {
    private func parse(_ bytes: [UInt8]) throws {
        var document = Document()
        try document.parse(bytes)
    }

    @Test(arguments: [
        "[[]   ]", "[\"\"]", "[]", "[\"a\"]", "[false]", "[null, 1, \"1\", {}]", "[null]", "[1\n]", " [1]",
        "[1,null,null,null,2]",
        "[2] ", "[123e65]", "[0e+1]", "[0e1]", "[ 4]",
        "[-0.000000000000000000000000000000000000000000000000000000000001]",
        "[20e1]", "[-0]", "[-123]", "[-1]", "[1E22]", "[1E-2]", "[1E+2]", "[123e45]", "[123.456e78]", "[1e-2]",
        "[1e+2]",
        "[123]", "[123.456789]", "{\"asd\":\"sdf\", \"dfg\":\"fgh\"}", "{\"asd\":\"sdf\"}", "{}", "{\"\":0}",
        "{\"foo\\u0000bar\": 42}",
        "{ \"min\": -1.0e+28, \"max\": 1.0e+28 }",
        "{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxx\"}], \"id\": \"xxxxxxxxxxxxxxxxx\"}",
        "{\"a\":[]}", "{\"title\":\"\\u041f\\u043e\\u043b\\u0442\\u043e\\u0440\\u0430\"}", "{\n\"a\": \"b\"\n}",
        "[\"\\u0060\\u012a\\u12AB\"]", "[\"\\uD801\\udc37\"]", "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
        "[\"\\\\u0000\"]", "[\"\\\"\"]", "[\"a/*b*/c/*d//e\"]", "[\"\\\\a\"]", "[\"\\\\n\"]", "[\"\\u0012\"]",
        "[\"\\uFFFF\"]", "[ \"asd\"]",
        "[\"\\uDBFF\\uDFFF\"]", "[\"new\\u00A0line\"]", "[\"\u{10FFFF}\"]", "[\"\u{FFFF}\"]", "[\"\\u0000\"]",
        "[\"\\u002c\"]",
        "[\"π\"]", "[\"\u{1BFFF}\"]", "[\"asd \"]", "\" \"", "[\"\\uD834\\uDd1e\"]", "[\"\\u0821\"]", "[\"\\u0123\"]",
        "[\"\u{2028}\"]",
        "[\"\u{2029}\"]", "[\"\\u0061\\u30af\\u30EA\\u30b9\"]", "[\"new\\u000Aline\"]", "[\"\u{7F}\"]", "[\"\\uA66D\"]",
        "[\"\\u005C\"]", "[\"⍂㈴⍂\"]", "[\"\\u200B\"]", "[\"\\u2064\"]", "[\"\\uFDD0\"]", "[\"\\uFFFE\"]",
        "[\"\\u0022\"]", "[\"€𝄞\"]",
        "[\"aa\u{7F}a\"]", "false", "42", "-0.1", "null", "\"asd\"", "true", "\"\"", "[\"a\"]\n", "[true]", " [] ",
        "\t[\r\n]\t",
        // Left open by the grammar and accepted here: numbers are text, whatever their size.
        "[0.4e00669999999999999999999999999999999999999999999999999999]", "[-1e+9999]", "[1.5e+9999]",
        "[-123123e100000]",
        "[123123e100000]", "[123e-10000000]", "[-123123123123123123123123123123]", "[100000000000000000000]",
    ])
    func `a text of the grammar is accepted`(text: String) throws {
        try parse(Array(text.utf8))
    }

    @Test(arguments: [
        "[1 true]", "[\"\": 1]", "[\"\"],", "[,1]", "[1,,2]", "[\"x\",,]", "[\"x\"]]", "[\"\",]", "[\"x\"", "[x",
        "[3[4]]", "[1:2]", "[,]",
        "[-]", "[   , \"\"]", "[\"a\",\n4\n,1,", "[1,]", "[1,,]", "[\"\u{B}a\"\\f]", "[*]", "[\"\"", "[1,",
        "[1,\n1\n,1", "[{}", "[fals]",
        "[nul]", "[tru]", "123\0", "[++1234]", "[+1]", "[+Inf]", "[-01]", "[-1.0.]", "[-2.]", "[-NaN]", "[.-1]",
        "[.2e-3]", "[0.1.2]",
        "[0.3e+]", "[0.3e]", "[0.e1]", "[0E+]", "[0E]", "[0e+]", "[0e]", "[1.0e+]", "[1.0e-]", "[1.0e]", "[1 000.0]",
        "[1eE2]", "[2.e+3]",
        "[2.e-3]", "[2.e3]", "[9.e+]", "[Inf]", "[NaN]", "[１]", "[1+2]", "[0x1]", "[0x42]", "[Infinity]", "[0e+-1]",
        "[-123.123foo]",
        "[-Infinity]", "[-foo]", "[- 1]", "[-012]", "[-.123]", "[-1x]", "[1ea]", "[1.]", "[.123]", "[1.2a-3]",
        "[1.8011670033376514H-308]",
        "[012]", "[\"x\", truth]", "{[: \"x\"}\n", "{\"x\", null}", "{\"x\"::\"b\"}", "{🇨🇭}", "{\"a\":\"a\" 123}",
        "{key: 'value'}", "{\"a\" b}",
        "{:\"b\"}", "{\"a\" \"b\"}", "{\"a\":", "{\"a\"", "{1:1}", "{9999E9999:1}", "{null:null,null:null}",
        "{\"id\":0,,,,,}", "{'a':0}",
        "{\"id\":0,}", "{\"a\":\"b\"}/**/", "{\"a\":\"b\"}#", "{\"a\":\"b\"}/", "{\"a\":\"b\",,\"c\":\"d\"}",
        "{a: \"b\"}", "{\"a\":\"a",
        "{ \"foo\" : \"bar\", \"a\" }", "{\"a\":\"b\"}#{}", " ", "", "[\"\\uD800\\\"]", "[\"\\uD800\\u\"]",
        "[\"\\uD800\\u1\"]", "[\"\\uD800\\u1x\"]",
        "[é]", "[\"\\x00\"]", "[\"\\\\\\\"]", "[\"\\\t\"]", "[\"\\🌀\"]", "[\"\\\"]", "[\"\\u00A\"]",
        "[\"\\uD834\\uDd\"]", "[\"\\uD800\\uD800\\x\"]",
        "[\"\\a\"]", "[\"\\uqqqq\"]", "[\\u0020\"asd\"]", "[\\n]", "\"", "['single quote']", "abc", "[\"\\",
        "[\"a\0a\"]", "[\"new\nline\"]",
        "[\"\t\"]", "\"\\UA66D\"", "\"\"x", "<.>", "[<null>]", "[1]x", "[1]]", "[True]", "1]", "{\"x\": true,", "[][]",
        "]", "{]", "[}", "{\"\":{\"\":",
        "{\"a\":/*comment*/\"b\"}", "{\"a\": true} \"x\"", "['", "[,", "[{", "[\"a", "{", "{,", "{['a'", "{\"a", "{'a'",
        "[\"\\{[\"\\{", "*", "{\"a\":\"b\"}#",
        "[\u{2060}]", "[\\u000A\"\"]", "[1", "[ false, nul", "[ true, fals", "[ false, tru", "{\"asd\":\"asd\"", "å",
        "[\u{C}]", "\u{FEFF}", "[\u{A0}]",
        // Left open by the grammar and refused here: lone or swapped surrogates, a byte order mark.
        "[\"\\uDADA\"]", "[\"\\uD888\\u1234\"]", "[\"\\uD800\\n\"]", "[\"\\uD800\\uD800\\n\"]", "[\"\\ud800\"]",
        "[\"\\ud800abc\"]",
        "[\"\\uDd1e\\uD834\"]", "[\"\\uDFAA\"]", "\u{FEFF}{}",
        // Left open by the grammar and refused here: a name twice.
        "{\"a\":\"b\",\"a\":\"c\"}", "{\"a\":\"b\",\"a\":\"b\"}", "{\"a\":1,\"\\u0061\":2}",
        "{\"\\u0061\":1,\"\\u0061\":2}", "{\"/\":1,\"\\/\":2}",
        "{\"\\u00e9\":1,\"é\":2}", "{\"\\ud834\\udd1e\":1,\"𝄞\":2}", "{\"\":1,\"\":2}",
    ])
    func `a text outside the grammar is refused`(text: String) {
        #expect(throws: ParseError.self) { try parse(Array(text.utf8)) }
    }

    @Test(
        arguments: [
            [0xFF], [0xE5], [0x81], [0x31, 0x32, 0xE5], [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xF0, 0x80, 0x80, 0xAF],
            [0xE0, 0xFF], [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF], [0xFC, 0x80, 0x80, 0x80, 0x80, 0x80], [0xFC, 0x83, 0xBF, 0xBF, 0xBF, 0xBF],
            [0xF4, 0x90, 0x80, 0x80], [0xF4, 0xBF, 0xBF, 0xBF],
            [0xE9], [0xC2], [0xE2, 0x82], [0xF0, 0x9D, 0x84], [0xC3, 0x28], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28],
            [0xF0, 0x28, 0x8C, 0xBC],
            [0xF0, 0x90, 0x28, 0xBC], [0xF0, 0x90, 0x8C, 0x28], [0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0xFF, 0x68],
        ] as [[UInt8]])
    func `a string that is not UTF-8 is refused`(content: [UInt8]) {
        #expect(throws: ParseError.self) { try parse(Array("[\"".utf8) + content + Array("\"]".utf8)) }
        #expect(throws: ParseError.self) { try parse(Array("[\"".utf8) + content) }
    }

    @Test func `UTF-16 is refused`() {
        #expect(throws: ParseError(.unexpectedByte, at: 0)) { try parse([0xFF, 0xFE, 0x5B, 0x00, 0x5D, 0x00]) }
        #expect(throws: ParseError(.unexpectedByte, at: 1)) { try parse([0x5B, 0x00, 0x5D, 0x00]) }
    }

    @Test(
        arguments: [
            ("", .unexpectedEnd, 0), ("[1,]", .unexpectedByte, 3), ("\u{FEFF}1", .byteOrderMark, 0),
            ("1 2", .trailingBytes, 2),
            ("-", .unexpectedEnd, 1), ("01", .badNumber, 1), ("1.x", .badNumber, 2), ("\"\\x\"", .badEscape, 1),
            ("\"\\ud800\"", .badUnicode, 1), ("\"a\nb\"", .controlCharacter, 2),
            ("{\"a\":1, \"a\":2}", .duplicateName, 8),
            ("[[1, nul", .unexpectedEnd, 8), ("\"12345678\u{1}\"", .controlCharacter, 9),
        ] as [(String, ParseError.Code, Int)])
    func `an error says what and where`(text: String, code: ParseError.Code, offset: Int) {
        #expect(throws: ParseError(code, at: offset)) { try parse(Array(text.utf8)) }
    }
}
