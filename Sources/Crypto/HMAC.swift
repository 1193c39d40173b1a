internal import COpenSSL

/// HMAC with SHA-256 (RFC 2104).
package enum HMAC {
    /// The code as 32 bytes.
    package static func code(of message: [UInt8], key: [UInt8]) throws(CryptoError) -> [UInt8] {
        guard let library = unsafe copenssl() else {
            throw CryptoError.unavailable(unsafe String(cString: copenssl_error()))
        }
        var code = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let isDone = unsafe key.withUnsafeBufferPointer { key in
            unsafe message.withUnsafeBufferPointer { message in
                unsafe library.pointee.HMAC(
                    library.pointee.EVP_sha256(), key.baseAddress, Int32(key.count), message.baseAddress, message.count,
                    &code, &length) != nil
            }
        }
        guard isDone, length == 32 else { throw CryptoError.failed }
        return code
    }
}
