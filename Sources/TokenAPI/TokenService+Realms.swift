internal import Clocks
internal import HTTP
internal import JSON
internal import Recipes
internal import Tokens

extension TokenService {
    func listRealms(_ request: Request) throws(Problem) -> Response {
        let arguments = try Arguments(request, members: nil)
        let page = try Page(arguments)
        let keyword = try arguments.text("keyword")
        let listing = try stored { () throws(StoreError) in try realms.realms(page, keyword: keyword) }
        return listResponse(listing.elements.map(JSON.Value.init), total: listing.total)
    }

    func readRealm(_ id: String) throws(Problem) -> Response {
        guard let realm = try stored({ () throws(StoreError) in try realms.realm(id) }) else { throw unknownRealm(id) }
        return Response(.ok, json: JSON.Value(realm), notes: [(name: "realm", value: id)])
    }

    func deleteRealm(_ id: String) throws(Problem) -> Response {
        switch try stored({ () throws(StoreError) in try realms.deleteRealm(id) }) {
        case .deleted:
            return Response(.noContent, notes: [(name: "realm", value: id), (name: "outcome", value: "deleted")])
        case .unknown: throw unknownRealm(id)
        case .hasSecrets: throw .realmHasSecrets
        }
    }

    func writeRealm(_ request: Request) throws(Problem) -> Response {
        let arguments = try Arguments(request, members: ["id", "config", "logic_code", "comment", "policy"])
        let id = try arguments.requiredMember("id")
        try Name.check(id, length: Name.realmLength, field: "id")
        let change = RealmChange(
            config: try config(arguments.member("config")), logicCode: try logicCode(arguments.member("logic_code")),
            comment: try arguments.textChange("comment", atMost: 5_000), policy: try policy(arguments.member("policy")))
        let realm = try stored { () throws(StoreError) in try realms.write(id, change) }
        return Response(
            .ok, json: JSON.Value(realm), notes: [(name: "realm", value: id), (name: "outcome", value: "stored")])
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
            if let refusal = settings.egress.permits(recipe.url) { throw .badInput("config.url", refusal.description) }
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
            do throws(URLError) {
                url = try HTTP.URL(parsing: text)
            } catch {
                throw .badInput("logic_code", error.description)
            }
            if let refusal = settings.egress.permits(url) { throw .badInput("logic_code", refusal.description) }
            return .set(text)
        default: throw .badInput("logic_code", "must be text")
        }
    }

    private func policy(_ value: JSON.Value?) throws(Problem) -> Change<String> {
        switch value {
        case nil: return .keep
        case .null?: return .clear
        case .object?: return .set(value?.text ?? "")
        default: throw .badInput("policy", "must be an object")
        }
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
            return .set(text)
        default: throw .badInput(name, "must be text")
        }
    }
}

extension JSON.Value {
    fileprivate init(_ realm: Realm) {
        self = .object([
            "id": .string(realm.id), "config": JSON.Value(stored: realm.config), "logic_code": .string(realm.logicCode),
            "comment": .string(realm.comment), "policy": JSON.Value(stored: realm.policy),
            "created_at": .string(realm.createdAt.iso8601), "updated_at": .string(realm.updatedAt.iso8601),
        ])
    }

    /// JSON text as it was stored; text that is no JSON (an old row edited by hand) is shown as text.
    private init(stored text: String?) {
        guard let text else {
            self = .null
            return
        }
        self = (try? JSON.Value(parsing: text.utf8)) ?? .string(text)
    }
}
