internal import COpenSSL
package import Log

/// AES-256-GCM with nonces of 192 bits: XAES-256-GCM (https://c2sp.org/XAES-256-GCM).
///
/// Each value is sealed under a key of its own, derived from the master key and half of the nonce, so that random nonces
/// need no count of how many values a key has sealed. One value belongs to one worker: it keeps the library's contexts.
@safe package final class XAES256GCM {
    static let keyLength = 32
    static let nonceLength = 24
    static let tagLength = 16

    private let library: UnsafePointer<copenssl_table>
    /// AES-256 under the master key, for the derivation.
    private let derivation: OpaquePointer
    /// AES-256-GCM, keyed anew for each value.
    private let cipher: OpaquePointer
    /// K1 of the specification.
    private var mask = [UInt8](repeating: 0, count: 16)
    /// The two blocks that are encrypted to derive a key, and then the key.
    private var blocks = [UInt8](repeating: 0, count: 32)

    /// - Parameter key: 32 bytes.
    package init(key: Redacted<[UInt8]>) throws(CryptoError) {
        guard let library = unsafe copenssl() else {
            throw CryptoError.unavailable(unsafe String(cString: copenssl_error()))
        }
        guard key.reveal().count == XAES256GCM.keyLength,
            let derivation = unsafe library.pointee.EVP_CIPHER_CTX_new()
        else { throw CryptoError.failed }
        guard let cipher = unsafe library.pointee.EVP_CIPHER_CTX_new() else {
            unsafe library.pointee.EVP_CIPHER_CTX_free(derivation)
            throw CryptoError.failed
        }
        unsafe self.library = library
        unsafe self.derivation = derivation
        unsafe self.cipher = cipher
        try check(
            unsafe library.pointee.EVP_EncryptInit_ex(
                derivation, library.pointee.EVP_aes_256_ecb(), nil, key.reveal(), nil))
        try check(unsafe library.pointee.EVP_CIPHER_CTX_set_padding(derivation, 0))
        try check(
            unsafe library.pointee.EVP_EncryptInit_ex(cipher, library.pointee.EVP_aes_256_gcm(), nil, nil, nil))
        try makeMask()
    }

    deinit {
        unsafe library.pointee.EVP_CIPHER_CTX_free(derivation)
        unsafe library.pointee.EVP_CIPHER_CTX_free(cipher)
    }

    /// Seals under a nonce that the system's generator gives: nonce, ciphertext, tag.
    package func seal(_ plaintext: [UInt8], context: [UInt8]) throws(CryptoError) -> [UInt8] {
        var system = SystemRandomNumberGenerator()
        var nonce: [UInt8] = []
        nonce.reserveCapacity(XAES256GCM.nonceLength)
        while nonce.count < XAES256GCM.nonceLength {
            var word = system.next()
            for _ in 0..<8 {
                nonce.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        return try seal(plaintext, context: context, nonce: nonce)
    }

    /// Seals under a given nonce, which must never come again; for the specification's vectors.
    package func seal(_ plaintext: [UInt8], context: [UInt8], nonce: [UInt8]) throws(CryptoError) -> [UInt8] {
        guard let count = Int32(exactly: plaintext.count), let contextCount = Int32(exactly: context.count) else {
            throw CryptoError.failed
        }
        var sealed = nonce
        sealed.reserveCapacity(nonce.count + plaintext.count + XAES256GCM.tagLength)
        sealed.append(contentsOf: plaintext)
        sealed.append(contentsOf: repeatElement(0, count: XAES256GCM.tagLength))
        try derive(nonce)
        var length: Int32 = 0
        let isDone = unsafe sealed.withUnsafeMutableBufferPointer { sealed in
            guard let start = sealed.baseAddress else { return false }
            let body = unsafe start + XAES256GCM.nonceLength
            return unsafe library.pointee.EVP_EncryptInit_ex(
                cipher, nil, nil, blocks, UnsafePointer(start) + XAES256GCM.nonceLength / 2) == 1
                && library.pointee.EVP_EncryptUpdate(cipher, nil, &length, context, contextCount) == 1
                && library.pointee.EVP_EncryptUpdate(cipher, body, &length, body, count) == 1
                && library.pointee.EVP_EncryptFinal_ex(cipher, body + Int(count), &length) == 1
                && library.pointee.EVP_CIPHER_CTX_ctrl(
                    cipher, EVP_CTRL_AEAD_GET_TAG, Int32(XAES256GCM.tagLength), body + Int(count)) == 1
        }
        guard isDone else { throw CryptoError.failed }
        return sealed
    }

    /// Opens `sealed` in place: it becomes the plaintext, or stays meaningless where the answer is false.
    ///
    /// - Returns: false where this is not what was sealed, under this key, for this context.
    package func open(_ sealed: inout [UInt8], context: [UInt8]) throws(CryptoError) -> Bool {
        let count = sealed.count - XAES256GCM.nonceLength - XAES256GCM.tagLength
        guard count >= 0, let length = Int32(exactly: count), let contextCount = Int32(exactly: context.count) else {
            return false
        }
        try derive(sealed)
        var written: Int32 = 0
        var isReady = false
        let isAuthentic = unsafe sealed.withUnsafeMutableBufferPointer { sealed in
            guard let start = sealed.baseAddress else { return false }
            let body = unsafe start + XAES256GCM.nonceLength
            isReady =
                unsafe library.pointee.EVP_DecryptInit_ex(
                    cipher, nil, nil, blocks, UnsafePointer(start) + XAES256GCM.nonceLength / 2) == 1
                && library.pointee.EVP_DecryptUpdate(cipher, nil, &written, context, contextCount) == 1
                && library.pointee.EVP_DecryptUpdate(cipher, body, &written, body, length) == 1
                && library.pointee.EVP_CIPHER_CTX_ctrl(
                    cipher, EVP_CTRL_AEAD_SET_TAG, Int32(XAES256GCM.tagLength), body + count) == 1
            return unsafe isReady && library.pointee.EVP_DecryptFinal_ex(cipher, body + count, &written) == 1
        }
        guard isReady else { throw CryptoError.failed }
        guard isAuthentic else { return false }
        sealed.removeLast(XAES256GCM.tagLength)
        sealed.removeFirst(XAES256GCM.nonceLength)
        return true
    }

    // MARK: Derivation

    /// Leaves the key for the value with this nonce in `blocks`; only the first half of the nonce is read.
    private func derive(_ nonce: [UInt8]) throws(CryptoError) {
        for block in 0..<2 {
            let start = 16 * block
            blocks[start] = 0
            blocks[start + 1] = UInt8(block + 1)
            blocks[start + 2] = UInt8(ascii: "X")
            blocks[start + 3] = 0
            for index in 0..<12 { blocks[start + 4 + index] = nonce[index] }
            for index in 0..<16 { blocks[start + index] ^= mask[index] }
        }
        try encryptBlocks()
    }

    /// The subkey of CMAC (NIST SP 800-38B): the encrypted zero block, doubled in GF(2¹²⁸).
    private func makeMask() throws(CryptoError) {
        try encryptBlocks()
        let carry = blocks[0] >> 7
        for index in 0..<16 {
            mask[index] = blocks[index] << 1 | (index < 15 ? blocks[index + 1] >> 7 : 0)
        }
        mask[15] ^= carry * 0x87
    }

    private func encryptBlocks() throws(CryptoError) {
        var written: Int32 = 0
        let code = unsafe blocks.withUnsafeMutableBufferPointer { blocks in
            unsafe library.pointee.EVP_EncryptUpdate(
                derivation, blocks.baseAddress, &written, blocks.baseAddress, Int32(blocks.count))
        }
        try check(code)
    }

    private func check(_ code: Int32) throws(CryptoError) {
        if code != 1 { throw CryptoError.failed }
    }
}
