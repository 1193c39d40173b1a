internal import Clocks
internal import HTTP
internal import JSON

/// What a test asks of the simulator itself, beside the provider it plays.
extension Provider {
    private enum Action {
        case counters, token, revoke, faults, clearFaults, clock, advance, rules, authorise
    }

    private static let router = Router<Action>([
        .init(.get, "/_fake-provider/counters", .counters),
        .init(.get, "/_fake-provider/token", .token),
        .init(.post, "/_fake-provider/revoke", .revoke),
        .init(.post, "/_fake-provider/faults", .faults),
        .init(.delete, "/_fake-provider/faults", .clearFaults),
        .init(.get, "/_fake-provider/clock", .clock),
        .init(.post, "/_fake-provider/clock", .advance),
        .init(.post, "/_fake-provider/rules", .rules),
        .init(.post, "/_fake-provider/authorise", .authorise),
    ])

    mutating func control(_ request: Request, now: Timestamp) -> Response {
        if request.method == .get, request.path == "/" { return page(now: now) }
        do throws(Problem) {
            switch Provider.router.match(request.method, path: request.path) {
            case .found(let route, _): return try perform(route.endpoint, request, now: now)
            case .methodNotAllowed:
                throw Problem(
                    .methodNotAllowed, type: "method-not-allowed", title: "Method not allowed", detail: request.path)
            case .notFound, .malformed:
                throw Problem(.notFound, type: "not-found", title: "Not found", detail: "no such route")
            }
        } catch { return error.response(requestID: request.id) }
    }

    private mutating func perform(_ action: Action, _ request: Request, now: Timestamp) throws(Problem) -> Response {
        switch action {
        case .counters: return Response(.ok, json: countersJSON(now: now))
        case .token:
            guard let token = QueryString(parsing: request.query)?.value("token") else { throw bad("token") }
            guard let entry = ledger.entries[token] else {
                return Response(.ok, json: ["alive": false, "dies_at": nil])
            }
            return Response(
                .ok, json: ["alive": Value(entry.diesAt > now), "dies_at": Value(entry.diesAt.milliseconds)])
        case .revoke:
            guard let token = try body(request)["token"]?.string else { throw bad("token") }
            guard ledger.end(token, at: now) else {
                throw Problem(.notFound, type: "not-found", title: "Not found", detail: "no such token")
            }
            return Response(.noContent)
        case .faults:
            faults.add(try fault(try body(request)))
            return Response(.noContent)
        case .clearFaults:
            faults.clear()
            return Response(.noContent)
        case .clock: return clock(now)
        case .advance:
            guard let seconds = try body(request)["advance_seconds"]?.number?.double, (0...1e9).contains(seconds) else {
                throw bad("advance_seconds")
            }
            advanced += .seconds(seconds)
            return clock(now + .seconds(seconds))
        case .rules:
            let body = try body(request)
            if let life = try seconds(body, "life_seconds") { settings.life = life }
            if let overlap = try seconds(body, "overlap_seconds") { settings.overlap = overlap }
            return Response(.noContent)
        case .authorise:
            guard let client = try body(request)["client_id"]?.string, !client.isEmpty else { throw bad("client_id") }
            return Response(.ok, json: ["refresh_token": .string(authorise(client))])
        }
    }

    private func seconds(_ body: Value, _ name: String) throws(Problem) -> Duration? {
        guard let value = body[name] else { return nil }
        guard let seconds = value.number?.double, (0...1e9).contains(seconds) else { throw bad(name) }
        return .seconds(seconds)
    }

    private func clock(_ now: Timestamp) -> Response {
        Response(.ok, json: ["now": Value(now.milliseconds), "advanced_seconds": Value(advanced.wholeSeconds)])
    }

    private func fault(_ body: Value) throws(Problem) -> FaultPlan.Entry {
        guard let endpoint = body["endpoint"]?.string.flatMap(Endpoint.init) else { throw bad("endpoint") }
        guard let fault = body["fault"]?.string.flatMap(Fault.init) else { throw bad("fault") }
        let times = body["times"] ?? 1
        guard let count = times.number?.integer, count > 0, count <= 1_000_000 else { throw bad("times") }
        let delay = body["delay_ms"] ?? (fault == .delay ? 1_000 : 0)
        guard let milliseconds = delay.number?.integer, (0...600_000).contains(milliseconds) else {
            throw bad("delay_ms")
        }
        return FaultPlan.Entry(endpoint: endpoint, fault: fault, delay: .milliseconds(milliseconds), left: Int(count))
    }

    private func body(_ request: Request) throws(Problem) -> Value {
        do throws(ParseError) { return try Value(parsing: request.body) } catch {
            throw Problem(.badRequest, type: "bad-request", title: "Bad request", detail: error.description)
        }
    }

    private func bad(_ field: String) -> Problem {
        Problem(
            .badRequest, type: "bad-request", title: "Bad request", detail: "\(field) is absent or unusable",
            field: field)
    }
}
