internal import Clocks
internal import Crypto
internal import HTTP
internal import JSON
internal import Tokens

extension TokenService {
    /// Of a scope, and of the addresses of a key.
    private static let mostEntries = 100
    private static let latest: Int64 = 253_402_300_799_999

    func listKeys(_ request: Request) throws(Problem) -> Response {
        let page = try Page(try Arguments(request, members: nil))
        let listing = try stored { () throws(StoreError) in try keys.keys(page) }
        return listResponse(listing.elements.map { .object(Object($0)) }, total: listing.total)
    }

    func readKey(_ id: String) throws(Problem) -> Response {
        guard KeyText.isID(id), let key = try stored({ () throws(StoreError) in try keys.key(id) }) else {
            throw .unknownKeyID
        }
        return Response(.ok, json: .object(Object(key)))
    }

    /// Makes a key, and shows it this once.
    func createKey(_ request: Request, by author: Author) throws(Problem) -> Response {
        let arguments = try Arguments(
            request, members: ["role", "comment", "realms", "keys", "expires_at", "ip"])
        guard let role = Role(rawValue: try arguments.requiredMember("role")) else {
            throw .badInput("role", "must be reader, operator or admin")
        }
        var comment = ""
        if case .set(let text) = try arguments.textChange("comment", atMost: 5_000) { comment = text }
        let scope = try scope(arguments, of: role)
        let expiresAt = try arguments.member("expires_at").flatMap { value throws(Problem) in
            try arguments.integer("expires_at", in: 1...TokenService.latest)
        }
        let addresses = try addresses(arguments)

        var random = SystemRandomNumberGenerator()
        let key = KeyText(using: &random)
        guard let digest = try? SHA256.digest(Array(key.text.utf8)) else { throw .inconsistent }
        let grant = KeyGrant(
            id: key.id, digest: digest, role: role, scope: scope, addresses: addresses,
            expiresAt: expiresAt.map { Timestamp(milliseconds: $0) })
        let entry = AuditEntry(author, .createKey, outcome: "stored", detail: "\(key.id) \(role.rawValue)")
        let made = try recorded(entry, where: { $0 != nil }) { () throws(StoreError) in
            try keys.create(grant, comment: comment, by: author.caller)
        }
        guard let made else { throw .badInput("expires_at", "must lie in the future, in epoch milliseconds") }
        var object = Object(made)
        object["key"] = .string(key.text)
        var response = Response(.ok, json: .object(object), notes: [(name: "outcome", value: "stored")])
        response.fields[.cacheControl] = "no-store"
        return response
    }

    func deleteKey(_ id: String, by author: Author) throws(Problem) -> Response {
        guard KeyText.isID(id) else { throw .unknownKeyID }
        let entry = AuditEntry(author, .deleteKey, outcome: "deleted", detail: id)
        let isDeleted = try recorded(entry, where: { $0 }) { () throws(StoreError) in try keys.deleteKey(id) }
        guard isDeleted else { throw .unknownKeyID }
        return Response(.noContent, notes: [(name: "outcome", value: "deleted")])
    }

    // MARK: Members

    /// Everything where neither `realms` nor `keys` is given, else what they name together.
    private func scope(_ arguments: Arguments, of role: Role) throws(Problem) -> Scope {
        let realms = try arguments.texts("realms", atMost: TokenService.mostEntries)
        let keys = try arguments.texts("keys", atMost: TokenService.mostEntries)
        if realms == nil, keys == nil { return .everything }
        if role == .administrator {
            throw .badInput(realms == nil ? "keys" : "realms", "is not for an admin, who writes everything")
        }
        for (number, realm) in (realms ?? []).enumerated() {
            try Name.check(realm, length: Name.realmLength, field: "realms.\(number)")
        }
        var secrets: [SecretID] = []
        for (number, text) in (keys ?? []).enumerated() {
            let field = "keys.\(number)"
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { throw .badInput(field, "must be realm/key") }
            try Name.check(parts[0], length: Name.realmLength, field: field)
            try Name.check(parts[1], length: Name.keyLength, field: field)
            secrets.append(SecretID(realm: parts[0], key: parts[1]))
        }
        return Scope(realms: realms ?? [], secrets: secrets)
    }

    private func addresses(_ arguments: Arguments) throws(Problem) -> [String] {
        let texts = try arguments.texts("ip", atMost: TokenService.mostEntries) ?? []
        for (number, text) in texts.enumerated() where IPRange(text) == nil {
            throw .badInput(
                "ip.\(number)", "must be an address, or a range such as 203.0.113.0/24 with no bits beyond it")
        }
        return texts
    }
}

extension Arguments {
    /// A list of texts; nil where it is absent or JSON `null`.
    ///
    /// An empty one is refused: whether it means all or nobody should not have to be guessed.
    fileprivate func texts(_ name: String, atMost limit: Int) throws(Problem) -> [String]? {
        let elements: [JSON.Value]
        switch member(name) {
        case nil, .null?: return nil
        case .array(let array)?: elements = array
        default: throw .badInput(name, "must be a list of texts")
        }
        guard (1...limit).contains(elements.count) else {
            throw .badInput(name, "has 1 to \(limit) entries; leave the field out for no limit")
        }
        var texts: [String] = []
        for (number, element) in elements.enumerated() {
            guard let text = element.string else { throw .badInput("\(name).\(number)", "must be text") }
            texts.append(text)
        }
        return texts
    }
}

extension Problem {
    fileprivate static let unknownKeyID = Problem(
        .notFound, type: "key-not-found", title: "Key not found", detail: "there is no API key with this id",
        field: "id")
}

extension Object {
    /// All but the key, of which nobody has more than the digest.
    fileprivate init(_ key: APIKey) {
        let grant = key.grant
        let texts = { (texts: [String]) in texts.isEmpty ? .null : JSON.Value.array(texts.map { .string($0) }) }
        self = [
            "id": .string(grant.id), "role": .string(grant.role.rawValue), "comment": .string(key.comment),
            "realms": texts(grant.scope.realms),
            "keys": texts(grant.scope.secrets.map { "\($0.realm)/\($0.key)" }),
            "expires_at": grant.expiresAt.map { JSON.Value($0.milliseconds) } ?? .null,
            "ip": texts(grant.addresses),
            "created_at": .string(key.createdAt.iso8601), "created_by": .string(key.createdBy),
            "used_at": grant.usedAt.map { .string($0.iso8601) } ?? .null,
        ]
        if key.isQuarantined { self["quarantined"] = true }
    }
}
