package import Clocks
package import HTTP
internal import JSON
internal import Locks

/// The answers that an instance keeps, for all its workers: bounded by count, the one that was used longest ago goes first.
package final class Memory: ImmediateResponder {
    private struct State: Sendable {
        var answers: [CacheKey: (answer: CachedAnswer, lastUse: UInt64)] = [:]
        /// Errors of the last second, so that a crowd does not ask a server that has just refused.
        var errors: [CacheKey: (response: ClientResponse, sent: Moment)] = [:]
        /// Callers whose verdict depends on where they ask from; nothing is kept of theirs but by address.
        var bound: Set<[UInt8]> = []
        /// When the server last accepted a caller.
        var accepted: [[UInt8]: Moment] = [:]
        var flights: [CacheKey: Flight] = [:]
        var uses: UInt64 = 0
        /// Counts what makes answers under way outdated.
        var changes: UInt64 = 0

        /// The query as what is kept for it must be asked for.
        func bound(_ query: TokenQuery) -> TokenQuery {
            bound.contains(query.cacheKey.caller) ? query.boundToAddress() : query
        }

        /// The answer while it may be given.
        mutating func use(_ key: CacheKey, at now: Moment) -> CachedAnswer? {
            guard let index = answers.index(forKey: key) else { return nil }
            let answer = answers.values[index].answer
            guard answer.freshFor(now) > .zero else { return nil }
            uses += 1
            answers.values[index].lastUse = uses
            return answer
        }
    }

    private let limit: Int
    private let clock: any Clock
    private let state = Lock(State())

    /// How long an error is given again.
    private static let errorLife = Duration.seconds(1)
    /// How long a caller counts as one whom the server accepts.
    private static let acceptedLife = Duration.seconds(900)

    package init(limit: Int = 1_000, clock: any Clock) {
        self.limit = limit
        self.clock = clock
    }

    package func respondAtOnce(to request: Request, at now: Moment) -> Response? {
        guard let query = TokenQuery(request) else { return Memory.liveness(request) }
        return state.withLock { $0.use($0.bound(query).cacheKey, at: now) }?.response(
            now, minimumLife: query.minimumLife, ifNoneMatch: request.fields[.ifNoneMatch], becauseOfError: false)
    }

    /// That the process lives, also while every worker waits for the server; nil for any other request.
    static func liveness(_ request: borrowing Request) -> Response? {
        guard request.method == .get || request.method == .head else { return nil }
        switch request.path {
        case "/healthz":
            return Response(
                .ok, json: ["status": "ok"],
                notes: [(name: "route", value: "/healthz"), (name: "outcome", value: "ok")])
        case "/pong":
            return Response(
                .ok, json: ["err_code": 0], notes: [(name: "route", value: "/pong"), (name: "outcome", value: "ok")])
        default: return nil
        }
    }

    /// The answer in memory while it may be given.
    func respond(to query: TokenQuery, ifNoneMatch: String?) -> Response? {
        let now = clock.now()
        return state.withLock { $0.use(query.cacheKey, at: now) }?.response(
            now, minimumLife: query.minimumLife, ifNoneMatch: ifNoneMatch, becauseOfError: false)
    }

    /// The answer in memory while the server fails, as far as the server allowed it.
    func respondInSpiteOfError(to query: TokenQuery) -> Response? {
        let now = clock.now()
        guard let answer = answer(query.cacheKey),
            answer.maySurviveError(now, isForKey: !query.cacheKey.caller.isEmpty)
        else { return nil }
        return answer.response(now, minimumLife: query.minimumLife, ifNoneMatch: nil, becauseOfError: true)
    }

    func answer(_ key: CacheKey) -> CachedAnswer? {
        state.withLock { $0.answers[key]?.answer }
    }

    func error(_ key: CacheKey) -> ClientResponse? {
        let now = clock.now()
        return state.withLock { state in
            guard let error = state.errors[key], error.sent.elapsed(to: now) < Memory.errorLife else { return nil }
            return error.response
        }
    }

    /// The query as what is kept for it must be asked for.
    func bound(_ query: TokenQuery) -> TokenQuery {
        state.withLock { $0.bound(query) }
    }

    // MARK: Flights

    enum Boarding {
        /// The caller asks the server; `changes` tells later whether its answer may be kept.
        case pilot(Flight, changes: UInt64)
        case passenger(Flight)
        /// There is no place for another call.
        case full
    }

    func board(_ key: CacheKey, _ places: Places) -> Boarding {
        state.withLock { state in
            if let flight = state.flights[key] { return .passenger(flight) }
            guard places.take(.token, realm: key.realm) else { return .full }
            let flight = Flight()
            state.flights[key] = flight
            return .pilot(flight, changes: state.changes)
        }
    }

    /// Keeps what the server said, unless something changed meanwhile, and lets those go who waited for it.
    ///
    /// - Parameter query: under which it is kept: that of the flight, or the same bound to its caller's address.
    func land(
        _ key: CacheKey, _ flight: Flight, changes: UInt64, _ result: FlightResult, for query: TokenQuery
    ) {
        let now = clock.now()
        let flown = key
        let key = query.cacheKey
        state.withLock { state in
            state.flights[flown] = nil
            if !key.address.isEmpty, state.bound.insert(key.caller).inserted, state.bound.count > limit {
                // Who is forgotten is learned again with the next answer.
                state.bound = [key.caller]
            }
            guard state.changes == changes else { return }
            switch result {
            case .answer(let answer):
                state.uses += 1
                state.answers[key] = (answer: answer, lastUse: state.uses)
                state.errors[key] = nil
                if state.answers.count > limit,
                    let oldest = state.answers.min(by: { $0.value.lastUse < $1.value.lastUse })
                {
                    state.answers[oldest.key] = nil
                }
            case .error(let response, let sent):
                state.errors = state.errors.filter { $0.value.sent.elapsed(to: now) < Memory.errorLife }
                if state.errors.count < limit { state.errors[key] = (response: response, sent: sent) }
                // A refusal is a verdict: what was allowed before is not any more.
                if response.status.code < 500 { state.answers[key] = nil }
            case .nothing: break
            }
        }
        flight.end()
    }

    // MARK: Callers

    /// The server has just accepted the caller.
    func accept(_ caller: [UInt8]) {
        let now = clock.now()
        state.withLock { state in
            if state.accepted[caller] == nil, state.accepted.count >= limit {
                // Who is forgotten is learned again with the next answer.
                state.accepted = [:]
            }
            state.accepted[caller] = now
        }
    }

    /// Whether the server has lately accepted the caller.
    func hasAccepted(_ caller: [UInt8]) -> Bool {
        let now = clock.now()
        return state.withLock { $0.accepted[caller].map { $0.elapsed(to: now) < Memory.acceptedLife } ?? false }
    }

    // MARK: Changes

    /// Forgets one token for every caller.
    func forget(realm: String, key: String) {
        forget { $0.realm == realm && $0.key == key }
    }

    func forgetAll() {
        forget { _ in true }
    }

    private func forget(_ isMeant: (CacheKey) -> Bool) {
        state.withLock { state in
            state.changes += 1
            for key in state.answers.keys where isMeant(key) { state.answers[key] = nil }
            for key in state.errors.keys where isMeant(key) { state.errors[key] = nil }
        }
    }
}

/// One request to the server, watched by the callers that wait for it.
final class Flight: Sendable {
    private let hasEndedState = Lock(false)

    var hasEnded: Bool { hasEndedState.withLock { $0 } }

    func end() {
        hasEndedState.withLock { $0 = true }
    }
}

enum FlightResult {
    case answer(CachedAnswer)
    case error(ClientResponse, sent: Moment)
    /// Nothing that may be kept.
    case nothing
}
