internal import Log

/// The keys that stored values are sealed with: the first seals, all of them open.
package struct MasterKeys: Sendable {
    /// Why the keys cannot be used.
    ///
    /// Names the variable and the entry, never a value.
    package struct Malformed: Error, Sendable, Equatable, CustomStringConvertible {
        package let message: String

        package var variable: String { MasterKeys.variable }
        package var description: String { "\(variable): \(message)" }
    }

    package static let variable = "MASTER_KEYS"
    private static let longestID = 64

    /// In the order in which they were given; at least one.
    let keys: [(id: String, bytes: Redacted<[UInt8]>)]

    /// The key that seals.
    package var sealingID: String { keys[0].id }
    package var ids: [String] { keys.map(\.id) }

    /// Reads `MASTER_KEYS`, `id:base64-of-32-bytes[,id:…]`; nothing is loaded or connected for it.
    package init(environment: (String) -> String?) throws(Malformed) {
        guard let text = environment(MasterKeys.variable), !text.isEmpty else {
            throw Malformed(message: "is missing: id:base64-of-32-bytes, such as one:$(openssl rand -base64 32)")
        }
        try self.init(parsing: text)
    }

    package init(parsing text: String) throws(Malformed) {
        var keys: [(id: String, bytes: Redacted<[UInt8]>)] = []
        for (index, entry) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            let place = "entry \(index + 1)"
            guard let colon = entry.utf8.firstIndex(of: UInt8(ascii: ":")) else {
                throw Malformed(message: "\(place) is not id:base64-of-32-bytes")
            }
            let id = String(entry[..<colon])
            guard MasterKeys.isID(id) else {
                throw Malformed(
                    message: "\(place) must begin with an id of 1 to 64 letters, digits, dots, hyphens or underscores")
            }
            if keys.contains(where: { $0.id == id }) {
                throw Malformed(message: "\(place) has the id of another entry")
            }
            var bytes: [UInt8] = []
            guard Base64.decode(String(entry[entry.utf8.index(after: colon)...]), into: &bytes),
                bytes.count == XAES256GCM.keyLength
            else { throw Malformed(message: "\(place) has a key that is not 32 bytes in base64") }
            keys.append((id, Redacted(bytes)))
        }
        self.keys = keys
    }

    private static func isID(_ text: String) -> Bool {
        (1...longestID).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
