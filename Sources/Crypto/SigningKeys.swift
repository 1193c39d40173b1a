internal import Log

/// Signs under keys that are made of the master keys for one purpose, so that a signature never shows what seals.
///
/// The first master key signs, all of them check.
package final class SigningKeys {
    package struct Signature: Sendable, Equatable {
        /// The id of the master key.
        package var keyID: String
        /// HMAC-SHA-256 as 64 hexadecimal digits.
        package var code: String

        package init(keyID: String, code: String) {
            self.keyID = keyID
            self.code = code
        }
    }

    package enum Verdict: Sendable, Equatable {
        case genuine, forged
        /// No key of ours has this id.
        case unknownKey
    }

    private let masters: MasterKeys
    private let purpose: [UInt8]
    private var derived: [String: Redacted<[UInt8]>] = [:]

    package init(_ masters: MasterKeys, purpose: String) {
        self.masters = masters
        self.purpose = Array(purpose.utf8)
    }

    package func sign(_ message: [UInt8]) throws(CryptoError) -> Signature {
        guard let code = try code(message, masters.sealingID) else { throw CryptoError.failed }
        return Signature(keyID: masters.sealingID, code: Hex.encode(code))
    }

    package func check(_ signature: Signature, of message: [UInt8]) throws(CryptoError) -> Verdict {
        guard let code = try code(message, signature.keyID) else { return .unknownKey }
        return ConstantTime.areEqual(Array(Hex.encode(code).utf8), Array(signature.code.utf8)) ? .genuine : .forged
    }

    private func code(_ message: [UInt8], _ id: String) throws(CryptoError) -> [UInt8]? {
        if let key = derived[id] { return try HMAC.code(of: message, key: key.reveal()) }
        guard let master = masters.keys.first(where: { $0.id == id }) else { return nil }
        let key = Redacted(try HMAC.code(of: purpose, key: master.bytes.reveal()))
        derived[id] = key
        return try HMAC.code(of: message, key: key.reveal())
    }
}
