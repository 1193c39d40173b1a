internal import Clocks
internal import HTTP
internal import JSON
internal import Log
internal import Tokens

extension TokenService {
    /// What stands for every credential, whatever its length.
    private static let mask = "******"
    private static let numberedNames = (1...5).map { "key_\($0)" }
    private static let largestCredential = 16 << 10
    private static let mostCredentials = 50

    func listSecrets(_ request: Request) throws(Problem) -> Response {
        let arguments = try Arguments(request, members: nil)
        let page = try Page(arguments)
        let realm = try arguments.text("realm")
        let listing = try stored { () throws(StoreError) in try secrets.secrets(page, realm: realm) }
        return listResponse(listing.elements.map(TokenService.masked), total: listing.total)
    }

    func readSecret(_ id: SecretID) throws(Problem) -> Response {
        guard let secret = try stored({ () throws(StoreError) in try secrets.secret(id) }) else {
            throw unknownSecret(id)
        }
        return Response(.ok, json: TokenService.masked(secret), notes: [(name: "realm", value: id.realm)])
    }

    func deleteSecret(_ id: SecretID) throws(Problem) -> Response {
        guard try stored({ () throws(StoreError) in try secrets.deleteSecret(id) }) else { throw unknownSecret(id) }
        return Response(.noContent, notes: [(name: "realm", value: id.realm), (name: "outcome", value: "deleted")])
    }

    func writeSecret(_ request: Request) throws(Problem) -> Response {
        let arguments = try Arguments(
            request, members: Set(TokenService.numberedNames + ["realm", "key", "credentials"]))
        let id = SecretID(realm: try arguments.requiredMember("realm"), key: try arguments.requiredMember("key"))
        try Name.check(id.realm, length: Name.realmLength, field: "realm")
        try Name.check(id.key, length: Name.keyLength, field: "key")
        let changes = try credentialChanges(arguments)
        guard let secret = try stored({ () throws(StoreError) in try secrets.write(id, changes) }) else {
            throw .unknownRealm
        }
        return Response(
            .ok, json: TokenService.masked(secret),
            notes: [(name: "realm", value: id.realm), (name: "outcome", value: "stored")])
    }

    private func credentialChanges(_ arguments: Arguments) throws(Problem) -> [String: Change<Redacted<String>>] {
        var changes: [String: Change<Redacted<String>>] = [:]
        for name in TokenService.numberedNames {
            if let value = arguments.member(name) { changes[name] = try change(value, field: name) }
        }
        switch arguments.member("credentials") {
        case nil, .null?: break
        case .object(let credentials)?:
            for (name, value) in credentials.members {
                let field = "credentials.\(name)"
                try checkCredentialName(name)
                if changes[name] != nil { throw .badInput(field, "is given more than once") }
                changes[name] = try change(value, field: field)
            }
        default: throw .badInput("credentials", "must be an object of names and texts")
        }
        if changes.count > TokenService.mostCredentials {
            throw .badInput("credentials", "has at most \(TokenService.mostCredentials) names")
        }
        return changes
    }

    private func checkCredentialName(_ name: String) throws(Problem) {
        let isName =
            (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
        // The name itself is not repeated: whoever mixes up name and value must not see the value in an error.
        if !isName { throw .badInput("credentials", "has a name that is not 1–64 letters, digits or underscores") }
    }

    private func change(_ value: JSON.Value, field: String) throws(Problem) -> Change<Redacted<String>> {
        switch value {
        case .null, .string(""): return .clear
        case .string(TokenService.mask):
            throw .badInput(field, "is the mask; leave the field out to keep what is stored")
        case .string(let text):
            if text.utf8.count > TokenService.largestCredential { throw .badInput(field, "has at most 16 KiB") }
            if text.utf8.contains(0) { throw .badInput(field, "has a NUL character") }
            return .set(Redacted(text))
        default: throw .badInput(field, "must be text or null")
        }
    }

    func unknownSecret(_ id: SecretID) -> Problem {
        do throws(Problem) {
            try Name.check(id.realm, length: Name.realmLength, field: "realm")
            try Name.check(id.key, length: Name.keyLength, field: "key")
        } catch {
            return error
        }
        return .unknownSecret
    }

    /// `key_1` … `key_5` stand at the top, as the predecessor's users know them; other names under `credentials`.
    private static func masked(_ secret: Secret) -> JSON.Value {
        var object: Object = ["realm": .string(secret.id.realm), "key": .string(secret.id.key)]
        var others = Object()
        for name in secret.credentialNames.sorted() {
            if numberedNames.contains(name) {
                object[name] = .string(mask)
            } else {
                others[name] = .string(mask)
            }
        }
        if !others.isEmpty { object["credentials"] = .object(others) }
        object["created_at"] = .string(secret.createdAt.iso8601)
        object["updated_at"] = .string(secret.updatedAt.iso8601)
        return .object(object)
    }
}
