package import Log

/// Seals and opens with master keys.
///
/// One value belongs to one worker: each key's contexts are made when it is first used, and kept.
package final class KeyRing {
    package enum Opened: Sendable, Equatable {
        case value(Redacted<String>)
        /// No key of ours has this id.
        case unknownKey
        /// The key is ours, and this is not what it sealed for this context.
        case notAuthentic
    }

    private let keys: MasterKeys
    private var ciphers: [String: XAES256GCM] = [:]
    /// Kept between calls, so that opening allocates no more than what it answers.
    private var buffer: [UInt8] = []

    package init(_ keys: MasterKeys) {
        self.keys = keys
    }

    /// The key that seals.
    package var sealingID: String { keys.sealingID }
    package var ids: [String] { keys.ids }

    /// The base64 of nonce, ciphertext and tag under the first key.
    ///
    /// - Parameter context: what the value is bound to; it opens with the same bytes alone.
    package func seal(_ value: Redacted<String>, context: [UInt8]) throws(CryptoError) -> String {
        guard let cipher = try cipher(keys.sealingID) else { throw CryptoError.failed }
        return try Base64.encode(try cipher.seal(Array(value.reveal().utf8), context: context))
    }

    package func open(_ text: String, sealedWith id: String, context: [UInt8]) throws(CryptoError) -> Opened {
        guard let cipher = try cipher(id) else { return .unknownKey }
        buffer.removeAll(keepingCapacity: true)
        guard Base64.decode(text, into: &buffer), try cipher.open(&buffer, context: context) else {
            return .notAuthentic
        }
        return .value(Redacted(String(decoding: buffer, as: UTF8.self)))
    }

    private func cipher(_ id: String) throws(CryptoError) -> XAES256GCM? {
        if let known = ciphers[id] { return known }
        guard let key = keys.keys.first(where: { $0.id == id }) else { return nil }
        let cipher = try XAES256GCM(key: key.bytes)
        ciphers[id] = cipher
        return cipher
    }
}
