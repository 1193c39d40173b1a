import Clocks
import HTTP
import JSON
import TestKit
import Testing
import TokenCache

/// What the cache asks the server for, passes on, and hands back.
@Suite final class CachePassingTests: CacheFixture {
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

    // MARK: Settings

    @Test(arguments: [nil, "", "server", "ftp://h/", "http://h/?x=1"])
    func `a missing or bad address is named`(text: String?) {
        let error = #expect(throws: TokenCache.Settings.Failure.self) {
            try TokenCache.Settings(environment: { $0 == "TOKEN_SERVER_URL" ? text : nil })
        }
        #expect(error?.variable == "TOKEN_SERVER_URL")
    }
}
