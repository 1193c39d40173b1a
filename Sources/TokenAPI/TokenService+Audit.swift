internal import Clocks
internal import HTTP
internal import JSON
internal import Log
internal import Tokens

extension TokenService {
    func listAudit(_ request: Request, _ caller: Caller) throws(Problem) -> Response {
        let arguments = try Arguments(request, members: nil)
        let page = try Page(arguments)
        let realm = try arguments.text("realm")
        let key = try arguments.text("key")
        if key != nil, realm == nil { throw .badInput("realm", "is missing: keys are told apart within a realm") }
        let listing = try stored { () throws(StoreError) in
            try audit.audit(page, realm: realm, key: key, in: caller.scope)
        }
        return listResponse(listing.elements.map { .object(Object($0)) }, total: listing.total)
    }

    /// Runs a write, and stores with it the entry of what it did: a write that cannot be written down is not done.
    func recorded<Result>(
        _ entry: AuditEntry, where isDone: (Result) -> Bool = { _ in true }, _ body: () throws(StoreError) -> Result
    ) throws(Problem) -> Result {
        try stored { () throws(StoreError) in try audit.recording(entry, where: isDone, of: body) }
    }

    /// Stores who asked for a refresh, and what became of it.
    ///
    /// Who may not know of the secret leaves no entry, and so costs no statement: the log has its line.
    func recordFlush(_ decision: Decision, _ id: SecretID, _ visit: Visit, _ request: Request) throws(Problem) {
        guard let caller = visit.caller else { return }
        let outcome: String
        var generation: Int64?
        switch decision {
        case .wait: return
        case .refuse(.unknownRealm), .refuse(.unknownSecret), .refuse(.denied): return
        // It can be written as little as it could be read.
        case .refuse(.storeUnavailable), .refuse(.storeBroken): return
        case .refuse(let refusal): outcome = "refused: \(Problem(refusal).type)"
        case .answer(let answer):
            generation = answer.generation
            outcome =
                answer.isSuppressed
                ? "suppressed" : answer.isStale ? "failed" : answer.source == .upstream ? "refreshed" : "answered"
        }
        let entry = AuditEntry(
            Author(caller: caller.id, requestID: request.id), .flush, realm: id.realm, key: id.key, outcome: outcome,
            generation: generation)
        try stored { () throws(StoreError) in try audit.record(entry) }
    }
}

extension Arguments {
    /// The members of the body but `others`, in order: what a write changed, without a value.
    func namesOfMembers(besides others: Set<String>) -> String {
        members.map(\.name).filter { !others.contains($0) }.joined(separator: ", ")
    }
}

extension Object {
    fileprivate init(_ record: AuditRecord) {
        let entry = record.entry
        let text = { (text: String?) in text.map { JSON.Value.string($0) } ?? .null }
        self = [
            "id": JSON.Value(record.number), "at": .string(record.at.iso8601), "caller": .string(entry.author.caller),
            "request_id": .string(entry.author.requestID), "action": .string(entry.action.rawValue),
            "realm": text(entry.realm), "key": text(entry.key), "outcome": .string(entry.outcome),
            "detail": .string(entry.detail), "generation": entry.generation.map { JSON.Value($0) } ?? .null,
        ]
    }
}
