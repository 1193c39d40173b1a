internal import Clocks
internal import HTTP
internal import JSON
internal import Log
internal import Recipes
internal import Tokens

extension TokenService {
    func listRealms(_ request: Request, _ caller: Caller) throws(Problem) -> Response {
        let arguments = try Arguments(request, members: nil)
        let page = try Page(arguments)
        let keyword = try arguments.text("keyword")
        let listing = try stored { () throws(StoreError) in try realms.realms(page, keyword: keyword, in: caller.scope)
        }
        return listResponse(listing.elements.map { .object(Object($0)) }, total: listing.total)
    }

    func readRealm(_ id: String, _ caller: Caller) throws(Problem) -> Response {
        if !caller.scope.touches(id) { throw unknownRealm(id) }
        guard let realm = try stored({ () throws(StoreError) in try realms.realm(id) }) else { throw unknownRealm(id) }
        var object = Object(realm)
        for (name, value) in try confirmation(of: realm).members { object[name] = value }
        object["usage"] = .object(try usage(realm))
        return Response(.ok, json: .object(object), notes: [(name: "realm", value: id)])
    }

    func deleteRealm(_ id: String, by author: Author) throws(Problem) -> Response {
        let entry = AuditEntry(author, .deleteRealm, realm: id, outcome: "deleted")
        let deletion = try recorded(entry, where: { $0 == .deleted }) { () throws(StoreError) in
            try realms.deleteRealm(id)
        }
        switch deletion {
        case .deleted:
            return Response(.noContent, notes: [(name: "realm", value: id), (name: "outcome", value: "deleted")])
        case .unknown: throw unknownRealm(id)
        case .hasSecrets: throw .realmHasSecrets
        }
    }

    func writeRealm(_ request: Request, by author: Author) throws(Problem) -> Response {
        let arguments = try Arguments(
            request, members: ["id", "config", "logic_code", "comment", "policy", "notice_key", "discard_token"])
        let id = try arguments.requiredMember("id")
        try Name.check(id, length: Name.realmLength, field: "id")
        var change = RealmChange(
            config: try config(arguments.member("config")), logicCode: try logicCode(arguments.member("logic_code")),
            comment: try arguments.textChange("comment", atMost: 5_000), policy: try policy(arguments.member("policy")),
            noticeKey: try noticeKey(arguments.member("notice_key")),
            discardsTokens: try arguments.flag("discard_token"))
        try checkNotices(id, change)
        // What is in a realm that somebody makes meanwhile was entered for a recipe that is not known here.
        if change.changesRecipe { change.formerDestination = try destination(of: id) ?? .nowhere }
        let entry = AuditEntry(
            author, .writeRealm, realm: id, outcome: "stored", detail: arguments.namesOfMembers(besides: ["id"]))
        let realm = try recorded(entry) { () throws(StoreError) in try realms.write(id, change) }
        return Response(
            .ok, json: .object(Object(realm)),
            notes: [(name: "realm", value: id), (name: "outcome", value: "stored")])
    }

    private func config(_ value: JSON.Value?) throws(Problem) -> Change<String> {
        switch value {
        case nil: return .keep
        case .null?: return .clear
        case let value?:
            let recipe: Recipe
            do throws(RecipeError) {
                recipe = try Recipe(parsing: value)
            } catch {
                throw .badInput(error.field, error.problem)
            }
            if let refusal = settings.egress.permits(recipe.url.origin) {
                throw .badInput("config.url", refusal.description)
            }
            return .set(value.text)
        }
    }

    private func logicCode(_ value: JSON.Value?) throws(Problem) -> Change<String> {
        switch value {
        case nil: return .keep
        case .null?, .string("")?: return .clear
        case .string(let text)?:
            if text.unicodeScalars.count > 5_000 { throw .badInput("logic_code", "has at most 5000 characters") }
            let url: HTTP.URL
            do throws(RecipeError) {
                url = try LogicCode.url(text)
            } catch {
                throw .badInput(error.field, error.problem)
            }
            if let refusal = settings.egress.permits(url.origin) { throw .badInput("logic_code", refusal.description) }
            return .set(text)
        default: throw .badInput("logic_code", "must be text")
        }
    }

    private func policy(_ value: JSON.Value?) throws(Problem) -> Change<String> {
        switch value {
        case nil: return .keep
        case .null?: return .clear
        case let value?:
            let policy: Policy
            do throws(PolicyError) {
                policy = try Policy(parsing: value)
            } catch {
                throw .badInput(error.field, error.problem)
            }
            if let text = policy.noticeURL { try checkURL(text, field: "policy.notice_url") }
            return .set(value.text)
        }
    }

    /// At least as long as the digest that it keys: 32 characters.
    private func noticeKey(_ value: JSON.Value?) throws(Problem) -> Change<Redacted<String>> {
        switch value {
        case nil: return .keep
        case .null?: return .clear
        case .string(TokenService.mask)?:
            throw .badInput("notice_key", "is the mask; leave the field out to keep what is stored")
        case .string(let text)?:
            guard (32...1_000).contains(text.utf8.count) else {
                throw .badInput("notice_key", "must have 32 to 1000 bytes")
            }
            return .set(Redacted(text))
        default: throw .badInput("notice_key", "must be text")
        }
    }

    /// Nobody can tell an unsigned notice from a forged one.
    private func checkNotices(_ id: String, _ change: RealmChange) throws(Problem) {
        if case .set = change.noticeKey { return }
        var policyText: String?
        if case .set(let text) = change.policy { policyText = text }
        let stored: Realm?
        switch (change.policy, change.noticeKey) {
        case (.set, _), (_, .clear): stored = try self.stored { () throws(StoreError) in try realms.realm(id) }
        default: return
        }
        if case .keep = change.policy { policyText = stored?.policy }
        let policy = policyText.flatMap { try? JSON.Value(parsing: $0.utf8) }.flatMap { try? Policy(parsing: $0) }
        guard policy?.noticeURL != nil else { return }
        var hasKey = stored?.hasNoticeKey ?? false
        if case .clear = change.noticeKey { hasKey = false }
        if !hasKey { throw .badInput("notice_key", "is missing: it signs what policy.notice_url is told") }
    }

    private func checkURL(_ text: String, field: String) throws(Problem) {
        let url: HTTP.URL
        do throws(URLError) {
            url = try HTTP.URL(parsing: text)
        } catch {
            throw .badInput(field, error.description)
        }
        if let refusal = settings.egress.permits(url.origin) { throw .badInput(field, refusal.description) }
    }

    /// What was asked of the provider today, by all secrets of the realm together and by the one that asked most.
    private func usage(_ realm: Realm) throws(Problem) -> Object {
        let value = realm.policy.flatMap { try? JSON.Value(parsing: $0.utf8) }
        let policy = value.flatMap { try? Policy(parsing: $0) } ?? .undeclared
        let usage = try stored { () throws(StoreError) in try realms.usage(of: realm.id, policy) }
        return [
            "calls": JSON.Value(usage.calls), "forced": JSON.Value(usage.forced),
            "least_calls_left": policy.quota.map { JSON.Value(max(0, $0 - usage.mostCalls)) } ?? .null,
            "until": .string(usage.until.iso8601),
        ]
    }

    func unknownRealm(_ id: String, field: String = "id") -> Problem {
        if Name.isValid(id, length: Name.realmLength) { return .unknownRealm }
        do throws(Problem) {
            try Name.check(id, length: Name.realmLength, field: field)
        } catch {
            return error
        }
        return .unknownRealm
    }
}

extension Arguments {
    /// A text member that the body must have.
    func requiredMember(_ name: String) throws(Problem) -> String {
        switch member(name) {
        case .string(let text)?: return text
        case nil: throw .badInput(name, "is missing")
        default: throw .badInput(name, "must be text")
        }
    }

    func textChange(_ name: String, atMost limit: Int) throws(Problem) -> Change<String> {
        switch member(name) {
        case nil: return .keep
        case .null?: return .clear
        case .string(let text)?:
            if text.unicodeScalars.count > limit { throw .badInput(name, "has at most \(limit) characters") }
            if text.utf8.contains(0) { throw .badInput(name, "has a NUL character") }
            return .set(text)
        default: throw .badInput(name, "must be text")
        }
    }
}

extension Object {
    fileprivate init(_ realm: Realm) {
        self = [
            "id": .string(realm.id), "config": JSON.Value(stored: realm.config), "logic_code": .string(realm.logicCode),
            "comment": .string(realm.comment), "policy": JSON.Value(stored: realm.policy),
        ]
        if realm.hasNoticeKey { self["notice_key"] = .string(TokenService.mask) }
        self["created_at"] = .string(realm.createdAt.iso8601)
        self["updated_at"] = .string(realm.updatedAt.iso8601)
    }
}

extension JSON.Value {
    /// JSON text as it was stored; text that is no JSON (an old row edited by hand) is shown as text.
    fileprivate init(stored text: String?) {
        guard let text else {
            self = .null
            return
        }
        self = (try? JSON.Value(parsing: text.utf8)) ?? .string(text)
    }
}
