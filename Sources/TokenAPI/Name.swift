internal import HTTP

/// The names that administrators may give; rows migrated with others keep working where a token is asked for.
enum Name {
    /// Realm ids have 1–50 characters.
    static let realmLength = 1...50
    /// Keys have 1–200 characters.
    static let keyLength = 1...200

    static func isValid(_ name: String, length: ClosedRange<Int>) -> Bool {
        // A path with these as segments means another path.
        length.contains(name.utf8.count) && name.utf8.allSatisfy(isAllowed) && name != "." && name != ".."
    }

    /// Refuses a name that no new row may have.
    static func check(_ name: String, length: ClosedRange<Int>, field: String) throws(Problem) {
        if isValid(name, length: length) { return }
        throw .badInput(
            field,
            "has \(length.lowerBound)–\(length.upperBound) characters out of A–Z a–z 0–9 . _ : @ -, and is not . or ..")
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
