internal import JSON

/// The JSON reader: what it takes it writes and takes again as the same, and both its forms agree.
struct JSONTarget: FuzzTarget {
    let name = "json"
    let dictionary = [
        "\\u0000", "\\ud83d\\ude42", "\\ud800", "\\\"", "null", "true", "false", "[[[[[[[[", "{\"a\":", "1e308", "-0.0",
        "]", "}",
    ]
    var seeds: [[UInt8]] {
        [
            #"{"a":[1,2.5e3,-0,true,false,null,"\u00e9\n\"x\""],"b":{"c":"中🙂"},"":[]}"#,
            #"[[[[{"x":[{},{"y":9223372036854775807}]}]]],1e-7,123456789012345678901234567890]"#,
            #"  "text with \\ \/ \b \f \t \ud83d\ude42"  "#, "0.1", "{}",
        ].map { Array($0.utf8) }
    }

    func check(_ input: [UInt8]) -> String? {
        let limits = Limits(depth: 32, nodes: 4_000, bytes: 12 << 10)
        let document = try? Document(parsing: input, limits: limits)
        guard let value = try? Value(parsing: input, limits: limits) else {
            return document == nil ? nil : "a document, and no value"
        }
        guard let document else { return "a value, and no document" }
        if document.value() != value { return "document and value differ" }
        if input.count > limits.bytes { return "longer than the limit" }
        let written = value.encoded
        guard let again = try? Value(parsing: written) else { return "what was written cannot be read" }
        if again != value { return "what was written is another value" }
        return again.encoded == written ? nil : "what was written twice differs"
    }
}
