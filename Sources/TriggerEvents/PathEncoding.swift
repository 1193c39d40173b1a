/// Paths and query strings as `HTTP.Request` wants them: percent-encoded.
enum PathEncoding {
    /// Encodes a path that the platform has decoded; `/` stays the separator, `%` is a character like any other.
    static func encodeDecoded(_ path: String) -> String {
        encode(path, keepsEscapes: false, isAllowed: isPathCharacter)
    }

    /// Keeps a path that came as it was sent; only bytes that no URL may hold are encoded.
    static func keepEncoded(_ path: String) -> String {
        encode(path, keepsEscapes: true, isAllowed: isPathCharacter)
    }

    /// Keeps a query string, or a part of one, that came as it was sent.
    static func keepEncodedQuery(_ query: String) -> String {
        encode(query, keepsEscapes: true) { isPathCharacter($0) || $0 == UInt8(ascii: "?") }
    }

    private static func encode(_ text: String, keepsEscapes: Bool, isAllowed: (UInt8) -> Bool) -> String {
        func stays(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "%") ? keepsEscapes : isAllowed(byte) }
        if text.utf8.allSatisfy(stays) { return text }
        var encoded: [UInt8] = []
        encoded.reserveCapacity(text.utf8.count * 2)
        for byte in text.utf8 {
            if stays(byte) {
                encoded.append(byte)
            } else {
                encoded.append(UInt8(ascii: "%"))
                encoded.append(hexDigit(byte >> 4))
                encoded.append(hexDigit(byte & 15))
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// `pchar` of RFC 3986, 3.3, and the separator.
    private static func isPathCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "!"),
            UInt8(ascii: "$"),
            UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"),
            UInt8(ascii: "+"),
            UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: ":"), UInt8(ascii: "@"),
            UInt8(ascii: "/"):
            true
        default: false
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
