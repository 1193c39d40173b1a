internal import COpenSSL

/// SHA-256 (FIPS 180-4).
package enum SHA256 {
    /// The digest as 32 bytes.
    package static func digest(_ bytes: [UInt8]) throws(CryptoError) -> [UInt8] {
        guard let library = unsafe copenssl() else {
            throw CryptoError.unavailable(unsafe String(cString: copenssl_error()))
        }
        var digest = [UInt8](repeating: 0, count: 32)
        let isDone = unsafe bytes.withUnsafeBufferPointer { input in
            unsafe library.pointee.EVP_Digest(
                input.baseAddress, input.count, &digest, nil, library.pointee.EVP_sha256(), nil)
        }
        guard isDone == 1 else { throw CryptoError.failed }
        return digest
    }

    /// The digest as 64 lower-case hexadecimal characters.
    package static func hexDigest(_ bytes: [UInt8]) throws(CryptoError) -> String {
        Hex.encode(try digest(bytes))
    }
}
