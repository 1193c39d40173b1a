package import Clocks
package import HTTP
internal import JSON
package import Log
package import Tokens

/// The HTTP API of the token server.
///
/// One value belongs to one worker.
package final class TokenService: Handler {
    let broker: Broker
    private let upkeep: Upkeep
    private let notices: NoticeDelivery
    let tokens: any TokenStore
    let realms: any RealmStore
    let secrets: any SecretStore
    let keys: any KeyStore
    let audit: any AuditStore
    let probe: any StoreProbe
    private let limiter: RateLimiter
    private let uses: KeyUses
    let settings: Settings
    let clock: any Clock
    let logger: Logger

    package init(
        store: any TokenStore & RealmStore & SecretStore & KeyStore & AuditStore & StoreProbe & UpkeepStore
            & NoticeStore,
        upstream: any Upstream, noticeClient: any HTTP.Client, settings: Settings,
        clock: any Clock, logger: Logger, flights: Flights = Flights(),
        limiter: RateLimiter = RateLimiter(), uses: KeyUses = KeyUses()
    ) {
        broker = Broker(store: store, audit: store, upstream: upstream, clock: clock, flights: flights)
        upkeep = Upkeep(store: store, broker: broker, clock: clock)
        notices = NoticeDelivery(
            store: store, client: noticeClient, egress: settings.egress, clock: clock, logger: logger)
        tokens = store
        realms = store
        secrets = store
        keys = store
        audit = store
        probe = store
        self.limiter = limiter
        self.uses = uses
        self.settings = settings
        self.clock = clock
        self.logger = logger
    }

    package func respond(to request: Request, resuming state: (any Sendable)?) -> Outcome {
        var trail = Trail()
        var outcome: Outcome
        do throws(Problem) {
            outcome = try dispatch(request, resuming: state, &trail)
        } catch {
            outcome = .respond(error.response(requestID: request.id))
        }
        if let visit = trail.visit {
            noteUse(visit)
            if state == nil { noteVerdict(visit) }
        }
        if case .respond(var response) = outcome {
            response.fields[.requestID] = request.id
            if let route = trail.route { response.notes.append((name: "route", value: route)) }
            if trail.visit?.isBoundToAddress == true { response.fields[.vary] = "X-Forwarded-For" }
            response.notes += receipts
            if let caller = trail.visit?.caller { response.notes.append((name: "caller", value: caller.id)) }
            response.notes += trail.refusal
            outcome = .respond(response)
        }
        return outcome
    }

    /// Refreshes what turns soft, then delivers notices; both end before the deadline.
    ///
    /// `job` is `refresh` or nothing.
    package func run(_ schedule: Schedule, deadline: Moment?) -> Response {
        if let job = schedule.job, job != "refresh" {
            return Problem.badInput("job", "must be refresh").response(requestID: schedule.id)
        }
        do throws(Problem) {
            let upkeepResult = Result { () throws(Problem) in
                try stored { () throws(StoreError) in
                    try upkeep.run(
                        requestID: schedule.id, deadline: deadline.map { $0 + (.zero - NoticeDelivery.share) })
                }
            }
            writeUses()
            // Notices go out whatever became of the refreshes.
            let told = try stored { () throws(StoreError) in try notices.run(deadline: deadline) }
            let pruned = try pruneAudit()
            let done = try upkeepResult.get()
            return Response(
                .ok,
                json: [
                    "refreshed": JSON.Value(Int64(done.refreshed)), "failed": JSON.Value(Int64(done.failed)),
                    "lapsed": JSON.Value(Int64(done.lapsed)), "passed": JSON.Value(Int64(done.passed)),
                    "cut_short": .bool(done.isCutShort), "delivered": JSON.Value(Int64(told.delivered)),
                    "undelivered": JSON.Value(Int64(told.failed)), "pruned": JSON.Value(Int64(pruned)),
                ],
                notes: [
                    (name: "outcome", value: done.failed == 0 ? "refreshed" : "refresh-failures"),
                    (name: "refreshed", value: String(done.refreshed)),
                ] + receipts)
        } catch {
            return error.response(requestID: schedule.id)
        }
    }

    /// What is known of a request by the time it is answered.
    private struct Trail {
        var route: String?
        /// Nil where it was refused before its key was looked at.
        var visit: Visit?
        /// Where a key was asked for: where the request comes from, and the public part of the key that it shows.
        var shown: (address: IPAddress?, keyID: String?)?

        /// For the log, of somebody who was not let in.
        var refusal: [(name: String, value: String)] {
            guard let shown, visit?.caller == nil else { return [] }
            var notes = [(name: "address", value: shown.address?.description ?? "unknown")]
            if let keyID = shown.keyID { notes.append((name: "shown_key", value: keyID)) }
            return notes
        }
    }

    private func dispatch(_ request: Request, resuming state: (any Sendable)?, _ trail: inout Trail) throws(Problem)
        -> Outcome
    {
        let match = Endpoint.router.match(request.method, path: request.path)
        if case .found(let found, _) = match { trail.route = found.pattern }
        if case .found(let found, _) = match, found.endpoint.isOpen {
            return .respond(OpenRoutes.response(to: found.endpoint))
        }
        let address = settings.proxies.address(of: request)
        trail.shown = (address, nil)
        let visit = try settings.authorization.visit(request, from: address)
        trail.shown?.keyID = visit.keyID
        if state == nil { try checkRate(visit) }
        trail.visit = visit
        if case .found(let found, _) = match, found.endpoint == .token || found.endpoint == .refreshToken {
            // Who asks shows in the statement that reads the token.
            return try token(request, found.endpoint, visit, resuming: state as? Patience)
        }
        let caller = try admit(visit)
        noteUse(visit)
        writeUses()
        switch match {
        case .malformed: throw .malformedPath
        case .notFound: throw .noRoute
        case .methodNotAllowed(let allowed): throw .methodNotAllowed(allowed)
        case .found(let found, let parameters):
            if caller.role < found.endpoint.leastRole { throw .forbidden }
            return .respond(try answer(request, found.endpoint, parameters, caller))
        }
    }

    // MARK: Callers

    /// Counts a request, before anything is asked of the database for it; one that waits and comes back is not counted again.
    private func checkRate(_ visit: Visit) throws(Problem) {
        guard let digest = visit.digest else { return }
        let now = clock.now()
        switch limiter.passage(of: digest, from: visit.address, isKnown: visit.caller != nil, at: now) {
        case .free: return
        case .held(let delay): throw .tooManyRequests(retryAfter: delay)
        case .crowded(let delay):
            let isStored = try stored { () throws(StoreError) in
                try limiter.isStored(digest, at: now) { limit throws(StoreError) in try keys.digests(limit) }
            }
            if !isStored { throw .tooManyRequests(retryAfter: delay) }
        }
    }

    func noteUse(_ visit: Visit) {
        guard let reading = visit.reading else { return }
        uses.note(reading.grant.id, at: reading.now, written: reading.grant.usedAt)
    }

    /// Remembers for the limiter whether the key was good.
    private func noteVerdict(_ visit: Visit) {
        guard let digest = visit.digest else { return }
        if visit.caller != nil {
            limiter.noteAdmitted(digest: digest, from: visit.address, at: clock.now())
        } else if let denial = visit.denial {
            limiter.noteRefused(denial, digest: digest, from: visit.address, at: clock.now())
        }
    }

    /// Writes last uses, in a request that is more than a hit; what cannot be written is lost, and noted with the next use.
    func writeUses() {
        for use in uses.take(atMost: TokenService.mostUses) {
            _ = try? keys.noteUse(ofKey: use.id, at: use.at)
        }
    }

    private static let mostUses = 20

    /// Asks the database who it is, by a statement of its own.
    func admit(_ visit: Visit) throws(Problem) -> Caller {
        let reading = try visit.keyID.flatMap { id throws(Problem) in
            try stored { () throws(StoreError) in try keys.grant(id) }
        }
        do throws(Denial) {
            return try visit.admit(reading)
        } catch {
            throw Problem(error)
        }
    }

    private func answer(
        _ request: Request, _ endpoint: Endpoint, _ parameters: [String: String], _ caller: Caller
    ) throws(Problem) -> Response {
        let author = Author(caller: caller.id, requestID: request.id)
        return switch endpoint {
        case .listRealms: try listRealms(request, caller)
        case .writeRealm: try writeRealm(request, by: author)
        case .readRealm: try readRealm(parameters["id"] ?? "", caller)
        case .deleteRealm: try deleteRealm(parameters["id"] ?? "", by: author)
        case .confirmRealm: try confirmRealm(request, parameters["id"] ?? "", by: author)
        case .listSecrets: try listSecrets(request, caller)
        case .writeSecret: try writeSecret(request, by: author)
        case .readSecret: try readSecret(SecretID(parameters), caller)
        case .deleteSecret: try deleteSecret(SecretID(parameters), by: author)
        case .placeToken: try placeToken(request, SecretID(parameters), caller, by: author)
        case .listKeys: try listKeys(request)
        case .createKey: try createKey(request, by: author)
        case .readKey: try readKey(parameters["id"] ?? "")
        case .deleteKey: try deleteKey(parameters["id"] ?? "", by: author)
        case .listAudit: try listAudit(request, caller)
        case .readiness: readiness()
        case .pong, .health, .token, .refreshToken: throw .noRoute
        }
    }

    /// For the log: where the audit's entries of this request were stored.
    private var receipts: [(name: String, value: String)] {
        let receipts = audit.takeReceipts()
        return receipts.isEmpty
            ? [] : [(name: "audit", value: receipts.map(\.description).joined(separator: " "))]
    }

    /// Removes some of what is older than it is kept.
    private func pruneAudit() throws(Problem) -> Int {
        guard let age = settings.auditRetention else { return 0 }
        let pruned = try stored { () throws(StoreError) in try audit.pruneAudit(olderThan: age, limit: 1_000) }
        if let first = pruned.obstacles.first {
            logger.log(
                .error, "audit", ["not_pruned": .string(first), "chains": .integer(Int64(pruned.obstacles.count))])
        }
        return pruned.removed
    }

    /// Runs a store call; what is broken is logged here, once, and shown to nobody.
    func stored<Result>(_ body: () throws(StoreError) -> Result) throws(Problem) -> Result {
        do throws(StoreError) {
            return try body()
        } catch {
            if case .broken(let what) = error { logger.log(.error, "store", ["broken": .string(what)]) }
            throw Problem(error)
        }
    }
}

extension SecretID {
    fileprivate init(_ parameters: [String: String]) {
        self.init(realm: parameters["realm"] ?? "", key: parameters["key"] ?? "")
    }
}

/// The list shape of the predecessor, which its users rely on.
func listResponse(_ elements: [JSON.Value], total: Int) -> Response {
    Response(
        .ok,
        json: ["data": ["list": .array(elements), "total": JSON.Value(Int64(total))], "success": "ok"])
}

extension Page {
    /// `page` from 1, `pageSize` from 1, 10 without one, above 100 counts as 100.
    init(_ arguments: Arguments) throws(Problem) {
        let number = try arguments.integer("page", in: 1...1_000_000_000) ?? 1
        let size = try arguments.integer("pageSize", in: 1...1_000_000_000) ?? 10
        self.init(number: Int(number), size: Int(min(size, 100)))
    }
}
