import Clocks
import HTTP
import JSON
import TestKit
import Testing
import TokenCache

/// The cache in front of a server that answers from a list, with a clock that stands still.
@Suite struct CacheServiceTests {
    private final class Server: HTTP.Client {
        var requests: [ClientRequest] = []
        var limits: [ClientLimits] = []
        var answer: (ClientRequest) throws(ClientError) -> ClientResponse = { _ throws(ClientError) in
            throw .notSent(.connect)
        }
        /// Runs while a request is under way.
        var whileUnderWay: () -> Void = {}

        func send(
            _ request: ClientRequest, limits: ClientLimits, willSend: () -> Bool, didSend: () -> Void
        ) throws(ClientError) -> ClientResponse {
            requests.append(request)
            self.limits.append(limits)
            whileUnderWay()
            return try answer(request)
        }
    }

    private let clock = ManualClock()
    private let server = Server()
    private let memory: Memory
    private let service: CacheService

    init() throws {
        memory = Memory(limit: 3, clock: clock)
        service = CacheService(
            memory: memory, places: Places(workers: 12), client: server,
            server: try HTTP.URL(parsing: "http://server.test:8080"), clock: clock)
        server.answer = { _ throws(ClientError) in CacheServiceTests.token("T") }
    }

    private static func token(
        _ token: String, expiresIn: Int64? = 7_000_000, maxAge: Int = 60, staleIfError: Int = 50, tag: String = "1-a"
    ) -> ClientResponse {
        let left = expiresIn.map { String($0) } ?? "null"
        var fields = Fields([
            Field(.contentType, "application/json"), Field(.etag, "W/\"\(tag)\""),
        ])
        fields.append(.cacheControl, "private, max-age=\(maxAge), stale-if-error=\(staleIfError)")
        let body =
            #"{"token":"\#(token)","expires_in":\#(left),"expires_at":null,"source":"database","generation":3,"stale":false}"#
        return ClientResponse(.ok, fields: fields, body: Array(body.utf8))
    }

    private func send(
        _ method: HTTP.Method = .get, _ target: String = "/api/token?realm=wx&key=app", key: String? = "k",
        ifNoneMatch: String? = nil, body: String = "", deadline: Duration? = .seconds(10)
    ) throws -> (response: Response, json: JSON.Value) {
        let parts = target.split(separator: "?", maxSplits: 1).map { String($0) }
        var fields = Fields()
        if let key { fields.append(.authorization, "Bearer \(key)") }
        if let ifNoneMatch { fields.append(.ifNoneMatch, ifNoneMatch) }
        let request = Request(
            method, path: parts[0], query: parts.count > 1 ? parts[1] : "", fields: fields, body: Array(body.utf8),
            id: "r", deadline: deadline.map { clock.now() + $0 })
        if let response = memory.respondAtOnce(to: request, at: clock.now()) {
            return (response, (try? JSON.Value(parsing: response.body)) ?? .null)
        }
        guard case .respond(let response) = service.respond(to: request, resuming: nil) else { throw Waits() }
        return (response, (try? JSON.Value(parsing: response.body)) ?? .null)
    }

    private struct Waits: Error {}

    // MARK: As long as the server allows

    @Test func `an answer is kept for its max-age, recounted, and then asked for again`() throws {
        let first = try send()
        #expect(first.json["source"] == "database")
        clock.advance(by: .milliseconds(59_500))
        let second = try send()
        #expect(second.json["source"] == "memory")
        #expect(second.json["token"] == "T")
        #expect(second.json["expires_in"] == 6_940_500)
        #expect(second.json["generation"] == 3)
        #expect(second.json["stale"] == false)
        #expect(server.requests.count == 1)
        clock.advance(by: .milliseconds(500))
        _ = try send()
        #expect(server.requests.count == 2)
    }

    @Test func `what is left is handed on as max-age, without an Age beside it`() throws {
        _ = try send()
        clock.advance(by: .seconds(45))
        let later = try send().response
        #expect(later.fields[.cacheControl] == "private, max-age=15, stale-if-error=50")
        #expect(Field.Name("age").flatMap { later.fields[$0] } == nil)
    }

    @Test func `history 19: time is counted from when the request was sent`() throws {
        server.whileUnderWay = { self.clock.advance(by: .seconds(6)) }
        let first = try send(deadline: .seconds(20))
        #expect(first.response.fields[.cacheControl] == "private, max-age=54, stale-if-error=50")
        clock.advance(by: .seconds(53))
        #expect(try send().json["source"] == "memory")
        clock.advance(by: .seconds(1))
        _ = try send(deadline: .seconds(20))
        #expect(server.requests.count == 2)
    }

    @Test func `nothing is kept for longer than a minute, whatever the server says`() throws {
        server.answer = { _ throws(ClientError) in CacheServiceTests.token("T", maxAge: 600) }
        _ = try send()
        clock.advance(by: .seconds(60))
        _ = try send()
        #expect(server.requests.count == 2)
    }

    @Test(arguments: ["no-store", "private", "max-age=x", ""])
    func `without a max-age nothing is kept`(control: String) throws {
        server.answer = { _ throws(ClientError) in
            var answer = CacheServiceTests.token("T")
            answer.fields[.cacheControl] = control.isEmpty ? nil : control
            return answer
        }
        _ = try send()
        _ = try send()
        #expect(server.requests.count == 2)
    }

    @Test func `never is a token given with less than two seconds left`() throws {
        server.answer = { _ throws(ClientError) in CacheServiceTests.token("T", expiresIn: 10_000, maxAge: 60) }
        _ = try send()
        clock.advance(by: .seconds(8))
        #expect(try send().json["expires_in"] == 2_000)
        clock.advance(by: .milliseconds(1))
        _ = try send()
        #expect(server.requests.count == 2)
    }

    @Test func `a token without expiry has nulls`() throws {
        server.answer = { _ throws(ClientError) in CacheServiceTests.token("T", expiresIn: nil) }
        _ = try send()
        clock.advance(by: .seconds(30))
        let kept = try send()
        #expect(kept.json["source"] == "memory")
        #expect(kept.json["expires_in"] == .null)
    }

    @Test func `after a thaw the wall clock counts, if the steady one stood still`() throws {
        _ = try send()
        clock.jump(by: .seconds(3_600))
        _ = try send()
        #expect(server.requests.count == 2)
    }

    @Test func `a wish for a longer life is met from memory where it can be`() throws {
        _ = try send()
        #expect(try send(.get, "/api/token?realm=wx&key=app&min_ttl=6000").json["source"] == "memory")
        #expect(try send(.get, "/api/token?realm=wx&key=app&min_ttl=7001").json["source"] == "database")
        #expect(server.requests.last?.url.contains("min_ttl=7001") == true)
    }

    // MARK: Callers

    @Test func `every caller has the server's own verdict, for a minute at most`() throws {
        server.answer = { request throws(ClientError) in
            if request.fields[.authorization] == "Bearer k" { return CacheServiceTests.token("T") }
            return ClientResponse(.unauthorized, fields: Fields([Field(.wwwAuthenticate, "Bearer")]))
        }
        _ = try send()
        #expect(try send(key: "other").response.status == .unauthorized)
        #expect(try send(key: nil).response.status == .unauthorized)
        #expect(try send().json["source"] == "memory")
        // The key is revoked: a minute later it is known.
        server.answer = { _ throws(ClientError) in ClientResponse(.unauthorized) }
        clock.advance(by: .seconds(60))
        #expect(try send().response.status == .unauthorized)
        clock.advance(by: .seconds(2))
        #expect(try send().response.status == .unauthorized)
    }

    @Test func `realm, key and caller each make another entry, and the least used goes first`() throws {
        for key in ["a", "b", "c"] { _ = try send(.get, "/api/token?realm=wx&key=\(key)") }
        _ = try send(.get, "/api/token?realm=wx&key=a")
        _ = try send(.get, "/api/token?realm=wx&key=d")
        #expect(server.requests.count == 4)
        for key in ["a", "c", "d"] {
            #expect(try send(.get, "/api/token?realm=wx&key=\(key)").json["source"] == "memory")
        }
        _ = try send(.get, "/api/token?realm=wx&key=b")
        #expect(server.requests.count == 5)
    }

    // MARK: Revalidation

    @Test func `an answer that is still the same costs no token on the wire`() throws {
        _ = try send()
        clock.advance(by: .seconds(60))
        server.answer = { request throws(ClientError) in
            #expect(request.fields[.ifNoneMatch] == "W/\"1-a\"")
            var fields = Fields([Field(.etag, "W/\"1-a\"")])
            fields.append(.cacheControl, "private, max-age=40, stale-if-error=50")
            return ClientResponse(.notModified, fields: fields)
        }
        let renewed = try send()
        #expect(renewed.json["token"] == "T")
        #expect(renewed.json["expires_in"] == 6_940_000)
        #expect(renewed.response.fields[.cacheControl] == "private, max-age=40, stale-if-error=50")
        clock.advance(by: .seconds(39))
        #expect(try send().json["expires_in"] == 6_901_000)
        #expect(server.requests.count == 2)
        clock.advance(by: .seconds(1))
        _ = try send()
        #expect(server.requests.count == 3)
    }

    @Test func `a caller who has no answer is never told that it still stands`() throws {
        server.answer = { _ throws(ClientError) in Self.token("T", expiresIn: 10_000, maxAge: 4) }
        _ = try send()
        clock.advance(by: .milliseconds(7_999))
        // By the server's count 2 s are left of it, by ours less when its word is here.
        server.whileUnderWay = { clock.advance(by: .milliseconds(2)) }
        server.answer = { request throws(ClientError) in
            if request.fields[.ifNoneMatch] == nil { return Self.token("T2", tag: "2-b") }
            return ClientResponse(.notModified, fields: Self.token("T").fields)
        }
        let answer = try send()
        #expect(answer.response.status == .ok)
        #expect(answer.json["token"] == "T2")
        #expect(server.requests.map { $0.fields[.ifNoneMatch] } == [nil, "W/\"1-a\"", nil])
    }

    @Test func `a caller who wants more than is left gets the server's whole answer`() throws {
        server.answer = { _ throws(ClientError) in Self.token("T", expiresIn: 10_000, maxAge: 4) }
        _ = try send()
        clock.advance(by: .seconds(1))
        let answer = try send(.get, "/api/token?realm=wx&key=app&min_ttl=60")
        #expect(answer.response.status == .ok)
        #expect(answer.json["token"] == "T")
        #expect(server.requests.map { $0.fields[.ifNoneMatch] } == [nil, nil])
    }

    @Test func `an answer that was under way until its token died is not handed on`() throws {
        server.answer = { _ throws(ClientError) in Self.token("T", expiresIn: 4_000, maxAge: 0) }
        server.whileUnderWay = { clock.advance(by: .milliseconds(2_001)) }
        #expect(try send().response.status == .serviceUnavailable)
        server.whileUnderWay = { clock.advance(by: .milliseconds(2_000)) }
        #expect(try send().response.status == .ok)
    }

    @Test func `a caller that knows the answer is told so`() throws {
        let tag = try #require(try send().response.fields[.etag])
        let known = try send(ifNoneMatch: tag).response
        #expect(known.status == .notModified)
        #expect(known.body.isEmpty)
        #expect(known.fields[.cacheControl] == "private, max-age=60, stale-if-error=50")
        #expect(try send(ifNoneMatch: "W/\"other\"").response.status == .ok)
    }

    // MARK: The server fails

    @Test func `while the server fails an answer may be given a little longer, marked stale`() throws {
        _ = try send(key: nil)
        clock.advance(by: .seconds(100))
        server.answer = { _ throws(ClientError) in throw .notSent(.connect) }
        let stale = try send(key: nil)
        #expect(stale.json["token"] == "T")
        #expect(stale.json["stale"] == true)
        #expect(stale.response.fields[.cacheControl] == "private, max-age=0, stale-if-error=0")
        clock.advance(by: .seconds(10))
        let refused = try send(key: nil).response
        #expect(refused.status == .serviceUnavailable)
        #expect(refused.fields[.retryAfter] != nil)
    }

    /// Whatever the server allowed: the verdict on a key is as old as the last answer of the server.
    @Test(arguments: [60, 20])
    func `a key may have been revoked meanwhile, so it works for a minute at most also while the server fails`(
        maxAge: Int
    ) throws {
        server.answer = { _ throws(ClientError) in Self.token("T", maxAge: maxAge, staleIfError: 3_600) }
        _ = try send()
        server.answer = { _ throws(ClientError) in throw .notSent(.connect) }
        clock.advance(by: .milliseconds(59_999))
        let last = try send()
        #expect(last.json["token"] == "T")
        #expect(last.json["stale"] == .bool(maxAge < 60))
        clock.advance(by: .milliseconds(1))
        let refused = try send().response
        #expect(refused.status == .serviceUnavailable)
    }

    @Test func `a verdict that the server has renewed counts from then`() throws {
        server.answer = { _ throws(ClientError) in Self.token("T", maxAge: 20, staleIfError: 3_600) }
        _ = try send()
        clock.advance(by: .seconds(50))
        server.answer = { _ throws(ClientError) in
            var fields = Fields([Field(.etag, "W/\"1-a\"")])
            fields.append(.cacheControl, "private, max-age=20, stale-if-error=3600")
            return ClientResponse(.notModified, fields: fields)
        }
        _ = try send()
        server.answer = { _ throws(ClientError) in throw .notSent(.connect) }
        clock.advance(by: .milliseconds(59_999))
        #expect(try send().json["stale"] == true)
        clock.advance(by: .milliseconds(1))
        #expect(try send().response.status == .serviceUnavailable)
    }

    // MARK: Request ids

    @Test(arguments: ["/api/token?realm=wx&key=app", "/api/realm/none"])
    func `a problem of the server has the caller's id, in field and body alike`(target: String) throws {
        let problem = Problem(.notFound, type: "realm-not-found", title: "Realm not found", detail: "…", field: "realm")
        let theirs = problem.response(requestID: "theirs")
        server.answer = { _ throws(ClientError) in
            ClientResponse(theirs.status, fields: theirs.fields, body: theirs.body)
        }
        // The second time it is the error that was kept.
        for _ in 0..<2 {
            let answer = try send(.get, target)
            #expect(answer.response.fields[.requestID] == "r")
            #expect(answer.json["request_id"] == "r")
            #expect(answer.json["field"] == "realm")
            #expect(answer.json["type"] == "/problems/realm-not-found")
            let note = answer.response.notes.first { $0.name == "server_request_id" }
            #expect(note?.value == "theirs")
        }
    }

    @Test func `a body that is no problem is handed on as it is`() throws {
        let body = Array(#"{"request_id":"theirs"}"#.utf8)
        server.answer = { _ throws(ClientError) in
            ClientResponse(.badRequest, fields: Fields([Field(.contentType, "application/json")]), body: body)
        }
        #expect(try send(.get, "/api/realm/none").response.body == body)
    }

    @Test(arguments: [401, 403, 404, 409])
    func `a refusal is no failure: nothing is given in spite of it`(status: Int) throws {
        _ = try send()
        clock.advance(by: .seconds(61))
        server.answer = { _ throws(ClientError) in ClientResponse(Status(code: status)) }
        #expect(try send().response.status.code == status)
    }

    @Test func `an error is given again for a second, so that a crowd does not ask for each`() throws {
        server.answer = { _ throws(ClientError) in ClientResponse(.badGateway, body: Array(#"{"type":"x"}"#.utf8)) }
        _ = try send()
        clock.advance(by: .milliseconds(999))
        #expect(try send().response.status == .badGateway)
        #expect(server.requests.count == 1)
        clock.advance(by: .milliseconds(1))
        _ = try send()
        #expect(server.requests.count == 2)
    }

    // MARK: One flight

    @Test func `callers of a key that is being asked for wait, and share the answer`() throws {
        var waiting: [(any Sendable)?] = []
        let request = Request(
            .get, path: "/api/token", query: "realm=wx&key=app", fields: Fields([Field(.authorization, "Bearer k")]),
            id: "r", deadline: clock.now() + .seconds(10))
        server.whileUnderWay = {
            for _ in 0..<200 {
                guard case .wait(_, let state) = self.service.respond(to: request, resuming: nil) else {
                    Issue.record("no wait")
                    return
                }
                waiting.append(state)
            }
        }
        _ = try send()
        #expect(waiting.count == 200)
        for state in waiting {
            guard case .respond(let response) = service.respond(to: request, resuming: state) else {
                Issue.record("still waits")
                return
            }
            #expect(response.status == .ok)
        }
        #expect(server.requests.count == 1)
    }

    @Test func `whoever waits is answered before the deadline`() throws {
        let request = Request(
            .get, path: "/api/token", query: "realm=wx&key=app", id: "r", deadline: clock.now() + .milliseconds(300))
        server.whileUnderWay = {
            guard case .wait(_, let state) = self.service.respond(to: request, resuming: nil) else {
                Issue.record("no wait")
                return
            }
            self.clock.advance(by: .milliseconds(250))
            guard case .respond(let response) = self.service.respond(to: request, resuming: state) else {
                Issue.record("still waits")
                return
            }
            #expect(response.status == .serviceUnavailable)
        }
        _ = try send(key: nil)
    }

    // MARK: Everything else is passed on

    @Test(arguments: [
        (HTTP.Method.get, "/api/token?realm=wx&key=app&flush=true", ""),
        (.put, "/api/token", #"{"realm":"wx","key":"app","now_token":"T"}"#),
        (.post, "/api/secret", #"{"realm":"wx","key":"app","key_1":"x"}"#), (.delete, "/api/secret/wx/app", ""),
        (.post, "/api/realm", #"{"id":"wx"}"#), (.delete, "/api/realm/wx", ""),
        (.put, "/api/secret/wx/app/token", #"{"token":"x"}"#),
    ])
    func `what may change a token is passed on, and the answer in memory is dropped`(
        method: HTTP.Method, target: String, body: String
    ) throws {
        _ = try send()
        _ = try send(method, target, body: body)
        let passed = try #require(server.requests.last)
        #expect(passed.method == method)
        #expect(passed.url == "http://server.test:8080" + target)
        #expect(String(decoding: passed.body, as: UTF8.self) == body)
        #expect(passed.fields[.authorization] == "Bearer k")
        _ = try send()
        #expect(server.requests.count == 3)
    }

    @Test(arguments: ["/%61pi/token?realm=wx&key=app&flush=true", "/api/tok%65n?realm=wx&key=app&flush=true"])
    func `a path that the server reads as the token's changes it too`(target: String) throws {
        _ = try send()
        _ = try send(.get, target)
        _ = try send()
        #expect(server.requests.count == 3)
    }

    @Test func `what the server refuses changes nothing, so nobody without a key empties the memory`() throws {
        _ = try send()
        server.answer = { _ throws(ClientError) in ClientResponse(.unauthorized, body: Array("{}".utf8)) }
        _ = try send(.post, "/x")
        _ = try send(.put, "/api/token", body: #"{"realm":"wx","key":"app"}"#)
        _ = try send(.get, "/api/token?realm=wx&key=app&flush=true")
        #expect(server.requests.count == 4)
        #expect(try send().response.status == .ok)
        #expect(server.requests.count == 4)
    }

    @Test func `an answer that was under way while something changed is not kept`() throws {
        server.whileUnderWay = {
            guard self.server.requests.count == 1 else { return }
            _ = try? self.send(.put, "/api/token", body: #"{"realm":"wx","key":"app"}"#)
        }
        _ = try send()
        #expect(server.requests.count == 2)
        _ = try send()
        #expect(server.requests.count == 3)
    }

    @Test(arguments: [
        "/api/token?realm=wx", "/api/token?realm=wx&realm=b&key=app", "/api/token?realm=wx&key=app&min_ttl=x",
        "/api/token?realm=wx&key=app&x=1", "/readyz", "/api/realm?page=1",
    ])
    func `what the cache does not understand it does not judge`(target: String) throws {
        server.answer = { _ throws(ClientError) in ClientResponse(.badRequest, body: Array("{}".utf8)) }
        for _ in 0..<2 { #expect(try send(.get, target).response.status == .badRequest) }
        #expect(server.requests.count == 2)
    }

    @Test func `the server has the time that the caller has left`() throws {
        _ = try send(deadline: .seconds(4))
        #expect(server.limits.last?.total == .milliseconds(3_700))
    }

    // MARK: Settings

    @Test(arguments: [nil, "", "server", "ftp://h/", "http://h/?x=1"])
    func `a missing or bad address is named`(text: String?) {
        let error = #expect(throws: TokenCache.Settings.Failure.self) {
            try TokenCache.Settings(environment: { $0 == "TOKEN_SERVER_URL" ? text : nil })
        }
        #expect(error?.variable == "TOKEN_SERVER_URL")
    }
}
