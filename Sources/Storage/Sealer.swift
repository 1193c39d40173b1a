package import Crypto
internal import Log
internal import Tokens

/// Where a value is stored: what it is bound to when it is sealed.
struct SealedPlace {
    let column: SealedColumn
    /// As the row spells them; `key` is empty where the row belongs to a whole realm.
    let realm: String
    let key: String
    let version: Int64
    /// What credentials or a refresh token may be sent to; nil where that was never written down, and for all other values.
    let destination: Destination?

    init(_ column: SealedColumn, _ id: SecretID, version: Int64) {
        self.init(column, realm: id.realm, key: id.key, version: version)
    }

    init(
        _ column: SealedColumn, realm: String, key: String = "", version: Int64, destination: Destination? = nil
    ) {
        self.column = column
        self.realm = realm
        self.key = key
        self.version = version
        self.destination = destination
    }

    /// Of a secret's credentials.
    init(credentialsOf id: SecretID, version: Int64, for destination: Destination?) {
        self.init(.credentials, realm: id.realm, key: id.key, version: version, destination: destination)
    }

    /// Of the refresh token that came with a generation.
    init(refreshTokenOf id: SecretID, generation: Int64, for destination: Destination?) {
        self.init(.refreshToken, realm: id.realm, key: id.key, version: generation, destination: destination)
    }

    /// What a value that is sealed here is bound to beside its place.
    ///
    /// Nothing, where nobody has written down what it may be sent to: who does so later need not open it.
    var binding: SealBinding {
        guard column.isBoundToDestination, let destination else { return .place }
        return destination.isOriginAlone ? .origin : .destination
    }
}

/// What a sealed value is bound to beside its place.
enum SealBinding: String {
    case place = "token-server 1"
    /// Where it may be sent to by scheme, host and port, as an earlier version wrote that down: it opens for each destination there.
    case origin = "token-server 2"
    /// Where it may be sent to, whole.
    case destination = "token-server 3"

    /// What stands before the text; base64 has no such character.
    var mark: String {
        switch self {
        case .place: ""
        case .origin: "2:"
        case .destination: "3:"
        }
    }

    /// The mark says how a text was sealed; who takes it away or puts it there has another context.
    init(of text: String, in column: SealedColumn) {
        self = .place
        guard column.isBoundToDestination else { return }
        if text.hasPrefix(SealBinding.origin.mark) { self = .origin }
        if text.hasPrefix(SealBinding.destination.mark) { self = .destination }
    }

    /// What credentials may be sent to of which that was not written down: anywhere, if a version before sealed them or nobody has.
    ///
    /// Text that is bound to a destination, but to none, was written while its realm was being made: it waits for a confirmation.
    static func destination(ofUnconfirmed text: String) -> Destination? {
        SealBinding(of: text, in: .credentials) == .destination ? .nowhere : nil
    }
}

/// A stored value that is not what this service has stored, or that no key of ours opens, by its place.
package struct SealFault: Sendable, Equatable, CustomStringConvertible {
    package enum Reason: String, Sendable {
        case unknownKey = "unknown key", notAuthentic = "not authentic"
        /// An API key that nobody has signed.
        case unsigned = "not signed"
        /// A value that nobody has sealed: it is used as it is.
        case inClear = "in clear"
        /// A sealed refresh token whose credentials nobody has sealed: it is not used.
        case besideClear = "beside credentials in clear"
    }

    /// Empty where the row belongs to none.
    package let realm: String
    /// Empty where the row belongs to a whole realm; the id of an API key.
    package let key: String
    /// `table.column`.
    package let column: String
    /// The id of the key that sealed or signed it; empty for none.
    package let sealedWith: String
    package let reason: Reason

    init(of place: SealedPlace, sealedWith id: String, _ reason: Reason) {
        realm = place.realm
        key = place.key
        column = "\(place.column.table).\(place.column.name)"
        sealedWith = id
        self.reason = reason
    }

    init(ofKey id: String, sealedWith keyID: String, _ reason: Reason) {
        realm = ""
        key = id
        column = "api_key.signature"
        sealedWith = keyID
        self.reason = reason
    }

    package var description: String {
        let places = [("realm", realm), ("key", key)].filter { !$0.1.isEmpty }
        let place = places.map { "\($0.0) \($0.1.debugDescription)" }.joined(separator: ", ")
        let seal = sealedWith.isEmpty ? "" : ", sealed with \(sealedWith.debugDescription)"
        return "\(column) of \(place)\(seal): \(reason.rawValue)"
    }
}

/// Seals values for their places and opens them there; signs rows and checks them.
///
/// One value belongs to one worker.
package final class Sealer {
    private let ring: KeyRing
    /// Signs the audit's entries.
    let signer: SigningKeys
    /// Signs API keys.
    private let keySigner: SigningKeys
    private var nothingSigned: SigningKeys.Signature?
    /// Rows of API keys that were found genuine, with their signatures.
    private var genuine: Set<[UInt8]> = []
    private let report: (SealFault) -> Void
    /// The bytes that a value is bound to, kept between calls.
    private var context: [UInt8] = []

    /// More keys than one instance serves at a time; beyond it everything is checked anew.
    private static let mostGenuine = 1_000

    /// - Parameter report: told of every value that does not open and every row that is not genuine, whenever it is met.
    package init(_ keys: MasterKeys, report: @escaping (SealFault) -> Void = { _ in }) {
        ring = KeyRing(keys)
        signer = SigningKeys(keys, purpose: AuditVerifier.purpose)
        keySigner = SigningKeys(keys, purpose: SignedKeyRow.purpose)
        self.report = report
    }

    /// The key that seals.
    var sealingID: String { ring.sealingID }
    var ids: [String] { ring.ids }

    func seal(_ value: Redacted<String>, at place: SealedPlace) throws(StoreError) -> String {
        let binding = place.binding
        bind(place, binding)
        do {
            return binding.mark + (try ring.seal(value, context: context))
        } catch {
            throw Sealer.broken(error)
        }
    }

    /// Opens a value, or hands it back where it is in clear; nil where it does not open.
    ///
    /// Both that and what is in clear have then been reported.
    func open(
        _ text: String, sealedWith id: String?, at place: SealedPlace
    ) throws(StoreError) -> Redacted<String>? {
        guard let id else {
            report(SealFault(of: place, sealedWith: "", .inClear))
            return Redacted(text)
        }
        let binding = SealBinding(of: text, in: place.column)
        bind(place, binding)
        let reason: SealFault.Reason
        do {
            let sealed = binding == .place ? text : String(text.dropFirst(binding.mark.count))
            switch try ring.open(sealed, sealedWith: id, context: context) {
            case .value(let value): return value
            case .unknownKey: reason = .unknownKey
            case .notAuthentic: reason = .notAuthentic
            }
        } catch {
            throw Sealer.broken(error)
        }
        report(SealFault(of: place, sealedWith: id, reason))
        return nil
    }

    /// Opens a refresh token that stands beside credentials sealed with `credentialsSealedWith`, as `open` does.
    ///
    /// What is sealed does not open beside credentials in clear: whoever put those there says where they may be sent.
    func openRefreshToken(
        _ text: String, sealedWith id: String?, at place: SealedPlace, credentialsSealedWith: String?
    ) throws(StoreError) -> Redacted<String>? {
        if let id, credentialsSealedWith == nil {
            report(SealFault(of: place, sealedWith: id, .besideClear))
            return nil
        }
        return try open(text, sealedWith: id, at: place)
    }

    // MARK: API keys

    func sign(_ row: SignedKeyRow) throws(StoreError) -> SigningKeys.Signature {
        do {
            return try keySigner.sign(row.message)
        } catch {
            throw Sealer.broken(error)
        }
    }

    /// Of the row that stands for none; signed once.
    func signatureOfNothing() throws(StoreError) -> SigningKeys.Signature {
        if let nothingSigned { return nothingSigned }
        let signature = try sign(GrantColumns.nothing)
        nothingSigned = signature
        return signature
    }

    /// Whether the row is as it was signed; where not, that has then been reported.
    func isGenuine(_ row: SignedKeyRow, _ signature: SigningKeys.Signature?) throws(StoreError) -> Bool {
        guard let fault = try fault(of: row, signature) else { return true }
        report(SealFault(ofKey: row.id, sealedWith: signature?.keyID ?? "", fault))
        return false
    }

    private func fault(
        of row: SignedKeyRow, _ signature: SigningKeys.Signature?
    ) throws(StoreError) -> SealFault.Reason? {
        guard let signature else { return .unsigned }
        let message = row.message
        let signed = message + Array(signature.code.utf8) + Array(signature.keyID.utf8)
        if genuine.contains(signed) { return nil }
        do {
            switch try keySigner.check(signature, of: message) {
            case .genuine: break
            case .forged: return .notAuthentic
            case .unknownKey: return .unknownKey
            }
        } catch {
            throw Sealer.broken(error)
        }
        if genuine.count >= Sealer.mostGenuine { genuine = [] }
        genuine.insert(signed)
        return nil
    }

    // MARK: The library

    /// Seals and opens with the key that seals, so that a library which cannot is found before a value needs it.
    func check() -> Bool {
        let place = SealedPlace(.token, realm: "", version: 0)
        guard let text = try? seal(Redacted("check"), at: place) else { return false }
        return (try? open(text, sealedWith: sealingID, at: place)) == Redacted("check")
    }

    /// Each part with its length before it, so that no two places have the same bytes.
    private func bind(_ place: SealedPlace, _ binding: SealBinding) {
        context.removeAll(keepingCapacity: true)
        append(binding.rawValue)
        append(place.column.table)
        append(place.realm)
        append(place.key)
        append(place.column.name)
        append(UInt64(bitPattern: place.version))
        guard binding != .place else { return }
        append(place.destination == nil ? 0 : 1)
        append((binding == .origin ? place.destination?.origin : place.destination?.text) ?? "")
    }

    private func append(_ part: String) {
        append(UInt64(part.utf8.count))
        context.append(contentsOf: part.utf8)
    }

    private func append(_ number: UInt64) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            context.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    private static func broken(_ error: CryptoError) -> StoreError {
        switch error {
        case .unavailable(let reason): .broken("libcrypto cannot be opened: \(reason)")
        case .failed: .broken("libcrypto refused to seal or to open")
        }
    }
}
