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
}
