internal import Clocks
internal import HTTP
internal import JSON
internal import Log
internal import Tokens

extension TokenService {
    /// What stands for every credential, whatever its length.
    static let mask = "******"
    private static let numberedNames = (1...5).map { "key_\($0)" }
    private static let largestCredential = 16 << 10
    private static let mostCredentials = 50

    func listSecrets(_ request: Request, _ caller: Caller) throws(Problem) -> Response {
        let arguments = try Arguments(request, members: nil)
        let page = try Page(arguments)
        let realm = try arguments.text("realm")
        let listing = try stored { () throws(StoreError) in try secrets.secrets(page, realm: realm, in: caller.scope) }
        return listResponse(listing.elements.map { .object(TokenService.masked($0)) }, total: listing.total)
    }

    func readSecret(_ id: SecretID, _ caller: Caller) throws(Problem) -> Response {
        if !caller.scope.contains(id) {
            throw caller.scope.touches(id.realm) ? unknownSecret(id) : unknownRealm(id.realm, field: "realm")
        }
        guard let secret = try stored({ () throws(StoreError) in try secrets.secret(id) }) else {
            if Name.isValid(id.realm, length: Name.realmLength),
                try stored({ () throws(StoreError) in try realms.realm(id.realm) }) == nil
            {
                throw .unknownRealm
            }
            throw unknownSecret(id)
        }
        var object = TokenService.masked(secret)
        object["status"] = .object(try status(id))
        return Response(.ok, json: .object(object), notes: [(name: "realm", value: id.realm)])
    }

    /// Stores a token that an administrator brings, where the realm fetches none itself.
    func placeToken(
        _ request: Request, _ id: SecretID, _ caller: Caller, by author: Author
    ) throws(Problem) -> Response {
        let arguments = try Arguments(request, members: ["token", "expires_in", "expires_at"])
        let text = try arguments.requiredMember("token")
        if text == TokenService.mask { throw .badInput("token", "is the mask") }
        guard (1...TokenService.largestCredential).contains(text.utf8.count),
            text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { throw .badInput("token", "must have 1 byte to 16 KiB, and no control character") }
        let token = PlacedToken(token: Redacted(text), expiry: try expiry(arguments))
        let entry = AuditEntry(author, .placeToken, realm: id.realm, key: id.key, outcome: "stored")
        let placement = try recorded(entry, where: { $0 == .placed }) { () throws(StoreError) in
            try secrets.placeToken(id, token)
        }
        switch placement {
        case .placed: return try readSecret(id, caller)
        case .hasUpstream:
            throw Problem(
                .conflict, type: "has-upstream", title: "Realm has an upstream",
                detail: "this realm fetches its tokens itself: clear its config and logic_code first")
        case nil: throw unknownSecret(id)
        }
    }

    /// What is left in milliseconds or an instant in epoch milliseconds, as a token answer gives them; none for ever.
    private func expiry(_ arguments: Arguments) throws(Problem) -> PlacedToken.Expiry {
        let longest: Int64 = 315_360_000_000
        let left = try arguments.integer("expires_in", in: 1...longest)
        let instant = try arguments.integer("expires_at", in: 1...253_402_300_799_999)
        switch (left, instant) {
        case (nil, nil): return .never
        case (let left?, nil): return .after(.milliseconds(left))
        case (nil, let instant?): return .at(Timestamp(milliseconds: instant))
        default: throw .badInput("expires_at", "is given beside expires_in")
        }
    }

    /// How the token stands: all but the token.
    private func status(_ id: SecretID) throws(Problem) -> Object {
        let lookup = try stored { () throws(StoreError) in try tokens.read(id, clock: clock) }
        guard case .found(let snapshot) = lookup else { throw unknownSecret(id) }
        let now = snapshot.now
        let row = snapshot.row
        let policy = snapshot.policy
        let assessment = Assessment(snapshot, wish: .token(minimumLife: nil), now: now)
        let today = row.ledger(on: policy.day(at: now))
        let instant = { (instant: Timestamp?) in instant.map { JSON.Value.string($0.iso8601) } ?? .null }
        var status: Object = [
            "state": .string(row.token == nil ? "none" : assessment.state.rawValue),
            "generation": JSON.Value(row.generation), "minted_at": instant(row.mintedAt),
            "expires_at": instant(assessment.diesAt), "used_at": instant(row.usedAt),
            "calls": JSON.Value(today.calls),
            "calls_left": policy.quota.map { JSON.Value(max(0, $0 - today.calls)) } ?? .null,
            "flushes_left": JSON.Value(max(0, policy.flushBudget - today.forced)),
            "until": .string(policy.midnight(after: now).iso8601),
        ]
        if assessment.isInDoubt { status["in_doubt"] = true }
        // Open, or run out under a call of which nobody knows what it did.
        if let leaseUntil = row.leaseUntil {
            status["lease"] = .object([
                "reason": row.reason.map { .string($0.rawValue) } ?? .null, "until": instant(leaseUntil),
            ])
        }
        if let failure = row.failure, let retryAt = row.retryAt, row.retryFor == snapshot.version {
            status["failure"] = .object([
                "class": .string(failure.failureClass.rawValue), "detail": .string(failure.detail),
                "retry_at": instant(retryAt),
            ])
        }
        if row.isRefreshedElsewhere {
            status["refreshed_elsewhere"] = true
            status["hint"] =
                "tokens of this secret die right after they are minted: somebody else asks the provider with these credentials"
        }
        return status
    }

    func deleteSecret(_ id: SecretID, by author: Author) throws(Problem) -> Response {
        let entry = AuditEntry(author, .deleteSecret, realm: id.realm, key: id.key, outcome: "deleted")
        let isDeleted = try recorded(entry, where: { $0 }) { () throws(StoreError) in try secrets.deleteSecret(id) }
        guard isDeleted else { throw unknownSecret(id) }
        return Response(.noContent, notes: [(name: "realm", value: id.realm), (name: "outcome", value: "deleted")])
    }

    func writeSecret(_ request: Request, by author: Author) throws(Problem) -> Response {
        let arguments = try Arguments(
            request, members: Set(TokenService.numberedNames + ["realm", "key", "credentials", "discard_token"]))
        let id = SecretID(realm: try arguments.requiredMember("realm"), key: try arguments.requiredMember("key"))
        try checkNames(of: id)
        let changes = try credentialChanges(arguments)
        let discardsToken = try arguments.flag("discard_token")
        // Credentials without a destination could go anywhere: for a realm that somebody makes meanwhile they are not stored.
        guard let destination = try destination(of: id.realm) else { throw .unknownRealm }
        let entry = AuditEntry(
            author, .writeSecret, realm: id.realm, key: id.key, outcome: "stored",
            detail: arguments.namesOfMembers(besides: ["realm", "key"]))
        let written = try recorded(entry, where: { $0 != nil }) { () throws(StoreError) in
            try secrets.write(id, changes, discardsToken: discardsToken, destination: destination)
        }
        guard let secret = written else { throw .unknownRealm }
        return Response(
            .ok, json: .object(TokenService.masked(secret)),
            notes: [(name: "realm", value: id.realm), (name: "outcome", value: "stored")])
    }

    /// A migrated secret keeps its name, and its credentials can be changed.
    private func checkNames(of id: SecretID) throws(Problem) {
        if Name.isValid(id.realm, length: Name.realmLength), Name.isValid(id.key, length: Name.keyLength) { return }
        if try stored({ () throws(StoreError) in try secrets.secret(id) }) != nil { return }
        try Name.check(id.realm, length: Name.realmLength, field: "realm")
        try Name.check(id.key, length: Name.keyLength, field: "key")
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
    private static func masked(_ secret: Secret) -> Object {
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
        if let destination = secret.confirmedFor, destination != .nowhere {
            object["confirmed_for"] = .string(destination.text)
        }
        if secret.isQuarantined { object["quarantined"] = true }
        object["created_at"] = .string(secret.createdAt.iso8601)
        object["updated_at"] = .string(secret.updatedAt.iso8601)
        return object
    }
}
