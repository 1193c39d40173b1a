internal import COpenSSL

/// Base64 with padding (RFC 4648, 4).
package enum Base64 {
    package static func encode(_ bytes: [UInt8]) throws(CryptoError) -> String {
        guard let library = unsafe copenssl() else {
            throw CryptoError.unavailable(unsafe String(cString: copenssl_error()))
        }
        // The library ends its text with NUL.
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let length = unsafe library.pointee.EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
        return String(decoding: text.prefix(Int(length)), as: UTF8.self)
    }

    /// Appends what `text` stands for; false where it is not base64 in its one canonical form: padded, without breaks, no stray bits.
    ///
    /// Needs no library.
    package static func decode(_ text: String, into bytes: inout [UInt8]) -> Bool {
        var text = text
        return text.withUTF8 { digits in
            guard digits.count.isMultiple(of: 4) else { return false }
            let padding = unsafe digits.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
            bytes.reserveCapacity(bytes.count + digits.count / 4 * 3)
            var bits: UInt32 = 0
            var held: UInt32 = 0
            for index in 0..<(digits.count - padding) {
                guard let value = unsafe value(of: digits[index]) else { return false }
                bits = bits << 6 | value
                held += 6
                if held >= 8 {
                    held -= 8
                    bytes.append(UInt8(truncatingIfNeeded: bits >> held))
                }
            }
            return bits & ((1 << held) - 1) == 0
        }
    }

    private static func value(of digit: UInt8) -> UInt32? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
