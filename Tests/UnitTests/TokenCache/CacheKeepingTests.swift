import Clocks
import HTTP
import JSON
import TestKit
import Testing
import TokenCache

/// What the cache keeps, for whom and for how long, also while the server fails.
@Suite final class CacheKeepingTests: CacheFixture {
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
        server.answer = { _ throws(ClientError) in Self.token("T", maxAge: 600) }
        _ = try send()
        clock.advance(by: .seconds(60))
        _ = try send()
        #expect(server.requests.count == 2)
    }

    @Test(arguments: ["no-store", "private", "max-age=x", ""])
    func `without a max-age nothing is kept`(control: String) throws {
        server.answer = { _ throws(ClientError) in
            var answer = Self.token("T")
            answer.fields[.cacheControl] = control.isEmpty ? nil : control
            return answer
        }
        _ = try send()
        _ = try send()
        #expect(server.requests.count == 2)
    }

    @Test func `never is a token given with less than two seconds left`() throws {
        server.answer = { _ throws(ClientError) in Self.token("T", expiresIn: 10_000, maxAge: 60) }
        _ = try send()
        clock.advance(by: .seconds(8))
        #expect(try send().json["expires_in"] == 2_000)
        clock.advance(by: .milliseconds(1))
        _ = try send()
        #expect(server.requests.count == 2)
    }

    @Test func `a token without expiry has nulls`() throws {
        server.answer = { _ throws(ClientError) in Self.token("T", expiresIn: nil) }
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
            if request.fields[.authorization] == "Bearer k" { return Self.token("T") }
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

    @Test func `however long the server lets a renewed answer be kept, it is asked again after a minute`() throws {
        _ = try send()
        clock.advance(by: .seconds(60))
        server.answer = { _ throws(ClientError) in
            let control = Field(.cacheControl, "private, max-age=3600, stale-if-error=0")
            return ClientResponse(.notModified, fields: Fields([Field(.etag, "W/\"1-a\""), control]))
        }
        #expect(try send().response.fields[.cacheControl] == "private, max-age=60, stale-if-error=0")
        clock.advance(by: .seconds(59))
        _ = try send()
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
        server.whileUnderWay = { self.clock.advance(by: .milliseconds(2)) }
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
        server.whileUnderWay = { self.clock.advance(by: .milliseconds(2_001)) }
        #expect(try send().response.status == .serviceUnavailable)
        server.whileUnderWay = { self.clock.advance(by: .milliseconds(2_000)) }
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
}
