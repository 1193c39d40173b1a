internal import Crypto
internal import HTTP
internal import Tokens

/// Who may ask.
package enum Authorization: Sendable {
    /// Everybody: only where nothing but this machine can connect.
    case none
    /// Whoever holds a stored key, or the one with this SHA-256 digest.
    case keys(administrator: [UInt8]?)

    /// Reads what the caller shows, without asking the database.
    ///
    /// - Throws: 401 where there is no key, or what can be none.
    func visit(_ request: Request, from address: IPAddress?) throws(Problem) -> Visit {
        guard case .keys(let administrator) = self else { return Visit(known: .anybody) }
        guard let header = request.fields[.authorization] else {
            throw .unauthorized("send an API key: Authorization: Bearer KEY")
        }
        let parts = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer", request.fields.values(.authorization).count == 1
        else {
            throw .unauthorized("the Authorization field must be: Bearer KEY")
        }
        guard let digest = try? SHA256.digest(Array(parts[1].utf8)) else { throw .inconsistent }
        if let administrator, ConstantTime.areEqual(digest, administrator) {
            return Visit(known: .bootstrap, digest: digest, address: address)
        }
        return Visit(keyID: KeyText(parsing: String(parts[1]))?.id, digest: digest, address: address)
    }
}

/// One caller of one request; who it is shows when its key has been read.
final class Visit: Visitor {
    let keyID: String?
    /// Who it is; nil until the key has been read, and where it is not let in.
    private(set) var caller: Caller?
    /// Whether its key may be used from some addresses alone: the answer is for this one.
    private(set) var isBoundToAddress = false
    /// Why it was not let in, once its key has been read.
    private(set) var denial: Denial?
    /// What the row of its key says, once it was admitted by it.
    private(set) var reading: KeyReading?
    /// Of the key that it shows; nil where none is asked for.
    let digest: [UInt8]?
    let address: IPAddress?
    private let known: Caller?

    init(known: Caller, digest: [UInt8]? = nil, address: IPAddress? = nil) {
        keyID = nil
        caller = known
        self.known = known
        self.digest = digest
        self.address = address
    }

    /// - Parameter keyID: nil for a key that cannot be one.
    init(keyID: String?, digest: [UInt8], address: IPAddress?) {
        self.keyID = keyID
        known = nil
        self.digest = digest
        self.address = address
    }

    /// Whether a reading can tell who it is, or need not.
    var canBeKnown: Bool { keyID != nil || known != nil }

    /// What a key that does not exist is compared with: the way to the refusal is the same as for a wrong one.
    private static let nothing = [UInt8](repeating: 0, count: 32)

    func admit(_ reading: KeyReading?) throws(Denial) -> Caller {
        if let known { return known }
        caller = nil
        denial = nil
        self.reading = nil
        do throws(Denial) {
            return try admitted(reading)
        } catch {
            denial = error
            throw error
        }
    }

    private func admitted(_ reading: KeyReading?) throws(Denial) -> Caller {
        let isEqual = ConstantTime.areEqual(digest ?? [], reading?.grant.digest ?? Visit.nothing)
        guard let reading, isEqual else { throw .unknownKey }
        let grant = reading.grant
        if let expiresAt = grant.expiresAt, expiresAt <= reading.now { throw .expiredKey }
        isBoundToAddress = !grant.addresses.isEmpty
        if !isAllowed(grant.addresses) { throw .address }
        let caller = Caller(id: grant.id, role: grant.role, scope: grant.scope)
        self.caller = caller
        self.reading = reading
        return caller
    }

    private func isAllowed(_ addresses: [String]) -> Bool {
        if addresses.isEmpty { return true }
        guard let address else { return false }
        return addresses.contains { IPRange($0)?.contains(address) ?? false }
    }
}

extension Problem {
    init(_ denial: Denial) {
        switch denial {
        case .unknownKey: self = .unauthorized("this API key is not known")
        case .expiredKey: self = .unauthorized("this API key has expired")
        case .address:
            self.init(
                .forbidden, type: "address-not-allowed", title: "Address not allowed",
                detail: "this API key may not be used from the caller's address")
        }
    }

    static let forbidden = Problem(
        .forbidden, type: "forbidden", title: "Forbidden", detail: "the role of this API key does not allow this")
}
