internal import Crypto
internal import HTTP

/// An API key as its holder sends it: `ts_ID_SECRET`, 64 random bits by which it is found and 256 that nobody can guess.
///
/// Both are written in lower-case hexadecimal digits, so that a key can be marked by a double click and has one spelling.
struct KeyText {
    /// The public part, under which the digest is stored.
    let id: String
    let text: String

    private static let mark = "ts_"
    private static let idLength = 16
    private static let secretLength = 64

    /// A new key; the generator must be fit for secrets.
    init(using random: inout some RandomNumberGenerator) {
        id = KeyText.digits(KeyText.idLength, &random)
        text = KeyText.mark + id + "_" + KeyText.digits(KeyText.secretLength, &random)
    }

    /// Nil for what no key looks like.
    init?(parsing text: String) {
        let bytes = Array(text.utf8)
        let start = KeyText.mark.utf8.count
        let middle = start + KeyText.idLength
        guard bytes.count == middle + 1 + KeyText.secretLength, bytes.starts(with: KeyText.mark.utf8),
            bytes[middle] == UInt8(ascii: "_"), bytes[start..<middle].allSatisfy(KeyText.isDigit),
            bytes[(middle + 1)...].allSatisfy(KeyText.isDigit)
        else { return nil }
        id = String(decoding: bytes[start..<middle], as: UTF8.self)
        self.text = text
    }

    /// Whether text can be the public part of a key.
    static func isID(_ text: String) -> Bool {
        text.utf8.count == idLength && text.utf8.allSatisfy(isDigit)
    }

    private static func digits(_ count: Int, _ random: inout some RandomNumberGenerator) -> String {
        Hex.encode((0..<count / 2).map { _ in UInt8.random(in: .min ... .max, using: &random) })
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
