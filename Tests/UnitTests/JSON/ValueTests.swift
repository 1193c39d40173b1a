import JSON
import Testing

@Suite struct `JSON value` {
    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("0.0", 0), ("-0.0e5", 0), ("0e99999999999999999999", 0), ("1", 1), ("-1", -1),
            ("1.0", 1), ("1.000e0", 1),
            ("7.2e3", 7200), ("7.2E+3", 7200), ("7200e0", 7200), ("72000e-1", 7200), ("0.0072e6", 7200),
            ("1e18", 1_000_000_000_000_000_000),
            ("1e19", nil), ("1e400", nil), ("1e99999999999999999999", nil), ("1e-400", nil),
            ("1e-99999999999999999999", nil), ("0.5", nil),
            ("7.25e1", nil), ("1.5", nil), ("9007199254740993", 9_007_199_254_740_993),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("9.007199254740993e15", 9_007_199_254_740_993), ("9223372036854775807", .max),
            ("9223372036854775807.000", .max),
            ("922337203685477580.7e1", .max), ("9223372036854775808", nil), ("9223372036854775808.0", nil),
            ("-9223372036854775808", .min),
            ("-9223372036854775808.0", .min), ("-922337203685477580.8e1", .min), ("-9223372036854775809", nil),
            ("10000000000000000000000e-4", 1_000_000_000_000_000_000),
            ("1.00000000000000000000000000000000000001", nil), ("0.000000000000000000000000000000001e33", 1),
            ("100000000000000000000", nil),
            ("1000000000000000000000000000000e-30", 1), ("12345678901234567890123", nil),
        ] as [(String, Int64?)])
    func `a number is whole when its text says so`(text: String, integer: Int64?) throws {
        let number = try #require(try Value(parsing: text.utf8).number)
        #expect(number.integer == integer)
        #expect(number.text == text)
    }

    @Test(
        arguments: [("1e400", nil), ("-1e400", nil), ("0.1", 0.1), ("1e-400", 0), ("-2.5e3", -2500)]
            as [(String, Double?)])
    func `a number as a double is the nearest, if there is one`(text: String, double: Double?) throws {
        #expect(try Value(parsing: text.utf8).number?.double == double)
    }

    @Test(arguments: [
        #"{"url":"https://a/$key_1?x=%20","b":[1,1.0,1e3,-0,1E+2,0.10],"a":{"z":null,"":true,"y":false},"n":9007199254740993}"#,
        #"["\"\\\b\f\n\r\t\u0000\u001f\u007f","é€𝄞","/"]"#, "[]", "{}", "\"\"", "[[],{},[[]]]",
    ])
    func `a document comes back as it was written`(text: String) throws {
        #expect(try Value(parsing: text.utf8).text == text)
    }

    @Test func `escapes that need not be are written plainly`() throws {
        #expect(try Value(parsing: #"[ "\u0061\/\u00e9\ud834\udd1e\u000A\u0022" ]"#.utf8).text == #"["a/é𝄞\n\""]"#)
    }

    @Test func `an object keeps its order when a member changes`() {
        var object: Object = ["b": 1, "a": 2, "c": 3]
        object["a"] = 5
        object["d"] = 4
        object["b"] = nil
        object["unknown"] = nil
        #expect(object.names == ["a", "c", "d"])
        #expect(Value.object(object).text == #"{"a":5,"c":3,"d":4}"#)
        #expect(object["a"] == 5 && object["b"] == nil)
    }

    @Test func `objects are equal in any order, arrays are not`() throws {
        let one = try Value(parsing: #"{"a":1,"b":{"c":[1,2],"d":null}}"#.utf8)
        #expect(one == (try Value(parsing: #"{"b":{"d":null,"c":[1,2]},"a":1}"#.utf8)))
        #expect(one != (try Value(parsing: #"{"b":{"d":null,"c":[2,1]},"a":1}"#.utf8)))
        #expect(one != (try Value(parsing: #"{"b":{"d":null,"c":[1,2]},"x":1}"#.utf8)))
        #expect(Value.null != .bool(false))
    }

    @Test func `text is compared byte by byte, not by how it looks`() throws {
        let value = try Value(parsing: #"{"\u00e9":1,"e\u0301":2}"#.utf8)
        #expect(value["\u{E9}"] == 1)
        #expect(value["e\u{301}"] == 2)
        #expect(Value.string("\u{E9}") != .string("e\u{301}"))
        var object: Object = ["\u{E9}": 1]
        object["e\u{301}"] = 2
        #expect(object.count == 2)
    }
}
