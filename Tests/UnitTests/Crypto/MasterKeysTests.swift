import Crypto
import Log
import Testing

@Suite struct MasterKeysTests {
    /// 32 bytes in base64.
    private static let key = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
    private static let other = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="

    @Test func `the first key seals and every key opens`() throws {
        let old = KeyRing(try MasterKeys(parsing: "old:\(Self.key)"))
        let both = KeyRing(try MasterKeys(parsing: "new:\(Self.other),old:\(Self.key)"))
        #expect(both.sealingID == "new")
        #expect(both.ids == ["new", "old"])
        let value = Redacted("värde \0 \u{1F642}")
        let byOld = try old.seal(value, context: [1])
        let byNew = try both.seal(value, context: [1])
        #expect(try both.open(byOld, sealedWith: "old", context: [1]) == .value(value))
        #expect(try both.open(byNew, sealedWith: "new", context: [1]) == .value(value))
        #expect(try old.open(byNew, sealedWith: "new", context: [1]) == .unknownKey)
        #expect(try both.open(byNew, sealedWith: "old", context: [1]) == .notAuthentic)
        #expect(try both.open(byNew, sealedWith: "new", context: [2]) == .notAuthentic)
        #expect(try both.open("no base64", sealedWith: "new", context: [1]) == .notAuthentic)
    }

    @Test(arguments: [
        (nil, "is missing"), ("", "is missing"), ("canary", "entry 1 is not id:"), (",", "entry 1 is not id:"),
        ("a:\(key),", "entry 2 is not id:"), (":\(key)", "entry 1 must begin with an id"),
        ("ca nary:\(key)", "entry 1 must begin with an id"), ("a:canary", "entry 1 has a key that is not 32 bytes"),
        ("a:\(key),b:\(key)A", "entry 2 has a key that is not 32 bytes"), ("a:\(key.dropLast())", "entry 1 has a key"),
        ("a:QUFBQQ==", "entry 1 has a key that is not 32 bytes"), ("a:\(key) ", "entry 1 has a key"),
        ("a:\(key),a:\(other)", "entry 2 has the id of another entry"),
    ])
    func `keys that cannot be used are one line that names the variable and no value`(
        _ text: String?, _ expected: String
    ) throws {
        let failure = #expect(throws: MasterKeys.Malformed.self) {
            try MasterKeys(environment: { $0 == "MASTER_KEYS" ? text : "canary" })
        }
        let line = try #require(failure).description
        #expect(line.hasPrefix("MASTER_KEYS: \(expected)"), "\(line)")
        #expect(!line.contains("canary") && !line.contains("\n") && !line.contains("QUFB"))
    }

    @Test func `keys do not show what they are made of`() throws {
        let keys = try MasterKeys(parsing: "one:\(Self.key)")
        var dumped = ""
        dump(keys, to: &dumped)
        #expect(!"\(keys) \(String(reflecting: keys)) \(dumped)".contains("65"), "the bytes of the key")
    }

    /// RFC 4648, 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `base64 is read as it is written`(_ text: String, _ encoded: String) throws {
        var bytes: [UInt8] = []
        let isBase64 = Base64.decode(encoded, into: &bytes)
        #expect(isBase64)
        #expect(bytes == Array(text.utf8))
        #expect(try Base64.encode(bytes) == encoded)
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zg===", "=", "====", "Zh==", "Zm9=", "Zm9v\n", "Z m9v", "Zm9-", "Zg==Zg=="])
    func `what is not base64 in its canonical form is refused`(_ text: String) {
        var bytes: [UInt8] = []
        let isBase64 = Base64.decode(text, into: &bytes)
        #expect(!isBase64)
    }
}
