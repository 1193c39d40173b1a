internal import HTTP
internal import JSON
internal import Recipes
internal import Tokens

extension TokenService {
    /// Confirms that all stored credentials of a realm may go where its recipe sends them now.
    ///
    /// The destination is named, so that nobody confirms what somebody else has just changed.
    func confirmRealm(_ request: Request, _ id: String, by author: Author) throws(Problem) -> Response {
        let arguments = try Arguments(request, members: ["destination"])
        let text = try arguments.requiredMember("destination")
        guard let destination = try destination(of: id) else { throw unknownRealm(id) }
        guard destination != .nowhere, Destination(text) == destination else { throw .destinationChanged }
        // The column takes 200 characters: of a longer host the end, which says whose it is.
        let entry = AuditEntry(
            author, .confirmRealm, realm: id, outcome: "confirmed", detail: String(destination.text.suffix(200)))
        let confirmed = try recorded(entry) { () throws(StoreError) in
            try realms.confirmSecrets(of: id, destination)
        }
        return Response(
            .ok,
            json: [
                "id": .string(id), "destination": .string(destination.text), "confirmed": JSON.Value(Int64(confirmed)),
            ],
            notes: [(name: "realm", value: id), (name: "outcome", value: "confirmed")])
    }

    /// Where the realm's credentials go; nil where there is no such realm.
    func destination(of id: String) throws(Problem) -> Destination? {
        guard let realm = try stored({ () throws(StoreError) in try realms.realm(id) }) else { return nil }
        return try destination(of: realm)
    }

    private func destination(of realm: Realm) throws(Problem) -> Destination {
        guard let destination = try? Destination(realm) else { throw .inconsistent }
        return destination
    }

    /// What a realm and its secrets say of where credentials go.
    func confirmation(of realm: Realm) throws(Problem) -> Object {
        let destination = try destination(of: realm)
        if destination == .nowhere { return ["destination": .null] }
        let waiting = try stored { () throws(StoreError) in try realms.unconfirmedSecrets(of: realm.id, destination) }
        return ["destination": .string(destination.text), "unconfirmed_secrets": JSON.Value(Int64(waiting))]
    }
}
