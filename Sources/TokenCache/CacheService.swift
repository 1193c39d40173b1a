package import Clocks
package import HTTP
internal import JSON

/// The companion function: answers tokens from memory for as long as the server's `Cache-Control` allows, and passes on everything else.
///
/// One value belongs to one worker; `Memory` is shared by all of them.
package final class CacheService: Handler {
    private let memory: Memory
    private let places: Places
    private let server: ServerClient
    private let clock: any Clock

    /// How often a caller that waits for another's request looks again.
    private static let poll = Duration.milliseconds(20)
    private static let longestWait = Duration.seconds(15)

    /// - Parameters:
    ///   - places: shared by all workers of the process.
    ///   - server: where `token-server` answers.
    package init(
        memory: Memory, places: Places, client: any HTTP.Client, server: HTTP.URL, clock: any Clock
    ) {
        self.memory = memory
        self.places = places
        self.server = ServerClient(client, server, clock)
        self.clock = clock
    }

    private struct Waiting: Sendable {
        /// Nil where there was no place for another call.
        var flight: Flight?
        let since: Moment
        /// Read once from what is passed on.
        var change: Change?
    }

    package func respond(to request: Request, resuming state: (any Sendable)?) -> Outcome {
        var response = Response(.serviceUnavailable)
        if let alive = Memory.liveness(request) {
            response = alive
        } else if let query = TokenQuery(request).map(memory.bound) {
            switch token(query, request, resuming: state as? Waiting) {
            case .respond(let answer): response = answer
            case .wait(let delay, let state): return .wait(delay: delay, state: state)
            }
            if response.notes.first?.name != "route" {
                response.notes.insert((name: "route", value: "/api/token"), at: 0)
            }
            response.notes.append((name: "realm", value: query.cacheKey.realm))
        } else {
            switch pass(request, resuming: state as? Waiting) {
            case .respond(let answer): response = answer
            case .wait(let delay, let state): return .wait(delay: delay, state: state)
            }
        }
        response.identify(request.id)
        return .respond(response)
    }

    /// A cache has nothing to do on its own.
    package func run(_ schedule: Schedule, deadline: Moment?) -> Response {
        Response(.ok, json: ["done": 0], notes: [(name: "outcome", value: "nothing-to-do")])
    }

    // MARK: Tokens

    private func token(_ query: TokenQuery, _ request: Request, resuming waiting: Waiting?) -> Outcome {
        let key = query.cacheKey
        if let waiting, let flight = waiting.flight, !flight.hasEnded { return wait(waiting, request) }
        if let response = memory.respond(to: query, ifNoneMatch: request.fields[.ifNoneMatch]) {
            return .respond(response)
        }
        if let error = memory.error(key) { return .respond(inSpiteOf: error, query, memory, request) }
        switch memory.board(key, places) {
        case .full: return wait(Waiting(since: waiting?.since ?? clock.now()), request)
        case .passenger(let flight):
            return wait(Waiting(flight: flight, since: waiting?.since ?? clock.now()), request)
        case .pilot(let flight, let changes):
            defer { places.leave(.token, realm: key.realm) }
            return fetch(query, request, flight, changes)
        }
    }

    private func wait(_ waiting: Waiting, _ request: Request) -> Outcome {
        let now = clock.now()
        let limit = request.deadline ?? waiting.since + CacheService.longestWait
        if now.timeLeft(until: limit) < CacheService.poll + .milliseconds(100) {
            return .respond(Problem.serverUnavailable.response(requestID: request.id))
        }
        return .wait(delay: CacheService.poll, state: waiting)
    }

    private func fetch(_ query: TokenQuery, _ request: Request, _ flight: Flight, _ changes: UInt64) -> Outcome {
        let key = query.cacheKey
        var sent = clock.now()
        let known = memory.answer(key).flatMap { $0.lives(sent, minimumLife: query.minimumLife) ? $0 : nil }
        var response: ClientResponse
        do throws(ClientError) {
            // Ours, not the caller's: an answer that is still the same comes back without the token.
            response = try ask(request, ifNoneMatch: known?.tag)
            if response.status == .notModified, let known {
                memory.accept(key.caller)
                if let again = again(known, response, sent, query, request) {
                    memory.land(key, flight, changes: changes, .answer(again.answer), for: query)
                    return .respond(again.response)
                }
                // Meanwhile too little is left by our count, and the caller has no answer that could still stand.
                sent = clock.now()
                response = try ask(request, ifNoneMatch: nil)
            }
        } catch {
            let problem = Problem.serverUnavailable.response(requestID: request.id)
            let failed = ClientResponse(problem.status, fields: problem.fields, body: problem.body)
            memory.land(key, flight, changes: changes, .error(failed, sent: sent), for: query)
            return .respond(inSpiteOf: failed, query, memory, request)
        }
        let query = response.isBoundToAddress ? query.boundToAddress() : query
        if response.status == .ok { memory.accept(key.caller) }
        if let answer = CachedAnswer(response, sent: sent) {
            memory.land(key, flight, changes: changes, .answer(answer), for: query)
            // It was long under way.
            guard answer.lives(clock.now(), minimumLife: nil) else {
                return .respond(Problem.serverUnavailable.response(requestID: request.id))
            }
            return .respond(handedOn(response, answer, request))
        }
        if response.status.code >= 400 {
            memory.land(key, flight, changes: changes, .error(response, sent: sent), for: query)
            return .respond(inSpiteOf: response, query, memory, request)
        }
        memory.land(key, flight, changes: changes, .nothing, for: query)
        return .respond(passed(response))
    }

    private func ask(_ request: Request, ifNoneMatch tag: String?) throws(ClientError) -> ClientResponse {
        var asked = request
        asked.fields[.ifNoneMatch] = tag
        return try server.send(asked)
    }

    /// The kept answer as the server renewed it; nil where it may not be given all the same.
    private func again(
        _ known: CachedAnswer, _ response: ClientResponse, _ sent: Moment, _ query: TokenQuery, _ request: Request
    ) -> (answer: CachedAnswer, response: Response)? {
        guard let control = CacheControl(response.fields) else { return nil }
        let renewed = CachedAnswer(known, renewed: control, sent: sent)
        let response = renewed.response(
            clock.now(), minimumLife: query.minimumLife, ifNoneMatch: request.fields[.ifNoneMatch],
            becauseOfError: false)
        return response.map { (answer: renewed, response: $0) }
    }

    /// The server's own answer, with what is left of the time for which it may be kept.
    private func handedOn(_ response: ClientResponse, _ answer: CachedAnswer, _ request: Request) -> Response {
        var handed = passed(response)
        if answer.isKnown(by: request.fields[.ifNoneMatch]) {
            handed.status = .notModified
            handed.body = []
            handed.fields[.contentType] = nil
        }
        let left = max(0, answer.freshFor(clock.now()).wholeSeconds)
        handed.fields[.cacheControl] = "private, max-age=\(left), stale-if-error=\(answer.staleIfError.wholeSeconds)"
        handed.notes = [(name: "outcome", value: "token"), (name: "source", value: "server")]
        return handed
    }

    // MARK: Everything else

    private func pass(_ request: Request, resuming waiting: Waiting?) -> Outcome {
        let change = waiting?.change ?? Change(request)
        let realm = change.realm ?? ""
        guard places.take(.passed, realm: realm) else {
            return wait(Waiting(since: waiting?.since ?? clock.now(), change: change), request)
        }
        defer { places.leave(.passed, realm: realm) }
        let result: Result<ClientResponse, ClientError>
        do throws(ClientError) {
            result = .success(try server.send(request))
        } catch {
            result = .failure(error)
        }
        let caller = CacheKey.caller(of: request)
        if change.counts(result, from: caller.map(memory.hasAccepted) ?? false) { change.forget(in: memory) }
        guard case .success(let response) = result else {
            return .respond(Problem.serverUnavailable.response(requestID: request.id))
        }
        if change.isOfAPI, response.status.code < 300, let caller { memory.accept(caller) }
        return .respond(passed(response))
    }

    private func passed(_ response: ClientResponse) -> Response {
        var passed = Response(response.status, body: response.body)
        for field in response.fields where CacheService.passedFields.contains(field.name) {
            passed.fields.append(field.name, field.value)
        }
        passed.notes = [(name: "outcome", value: "passed"), (name: "source", value: "server")]
        return passed
    }

    private static let passedFields: Set<Field.Name> = [
        // The length counts in an answer to HEAD alone.
        .contentLength, .contentType, .cacheControl, .etag, .retryAfter, .wwwAuthenticate, .allow, .location, .vary,
    ]
}

extension Outcome {
    /// The kept answer where the server fails and allowed that, else its error.
    fileprivate static func respond(
        inSpiteOf error: ClientResponse, _ query: TokenQuery, _ memory: Memory, _ request: Request
    ) -> Outcome {
        let mayBeStale = [500, 502, 503, 504].contains(error.status.code)
        if mayBeStale, let kept = memory.respondInSpiteOfError(to: query) { return .respond(kept) }
        var response = Response(error.status, fields: error.fields, body: error.body)
        response.notes = [(name: "outcome", value: "error"), (name: "source", value: "server")]
        return .respond(response)
    }
}

extension Response {
    /// Names the request in field and body alike; what a problem of the server was called there is left for the log line.
    fileprivate mutating func identify(_ id: String) {
        fields[.requestID] = id
        guard status.code >= 400, fields[.contentType] == "application/problem+json",
            var problem = (try? JSON.Value(parsing: body))?.object, let theirs = problem["request_id"]?.string,
            theirs != id
        else { return }
        problem["request_id"] = .string(id)
        body = JSON.Value.object(problem).encoded
        fields[.contentLength] = nil
        notes.append((name: "server_request_id", value: theirs))
    }
}

extension Problem {
    fileprivate static let serverUnavailable = Problem(
        .serviceUnavailable, type: "server-unavailable", title: "Server unavailable",
        detail: "the token server cannot be reached, or did not answer in time", retryAfter: 1)
}
