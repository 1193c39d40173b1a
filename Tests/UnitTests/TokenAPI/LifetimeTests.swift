import Clocks
import HTTP
import JSON
import TestKit
import Testing
import TokenAPI
import Tokens

/// A token's life as administrators and callers see it.
@Suite struct LifetimeTests {
    private func policy(_ world: World, _ text: String) throws -> World.Answer {
        try world.send(.post, "/api/realm", #"{"id":"wx","policy":\#(text)}"#)
    }

    // MARK: Policy

    @Test(arguments: [
        (#"{"gap":1}"#, "policy.gap"), (#"{"notice_url":"http://h/"}"#, "policy.notice_url"),
        (#"{"notice_url":"https://10.0.0.1/"}"#, "policy.notice_url"),
        (#"{"notice_url":"https://h.example/"}"#, "notice_key"), (#"{"colour":1}"#, "policy.colour"),
    ])
    func `a bad policy is a 400 that names the member`(text: String, field: String) throws {
        let world = try World()
        let answer = try policy(world, text)
        #expect(answer.status == 400)
        #expect(answer.field == field)
        #expect(try world.send(.get, "/api/realm/wx").status == 404)
    }

    @Test func `a notice key goes in and never comes out`() throws {
        let world = try World()
        let key = "canary-" + String(repeating: "k", count: 32)
        let body = #"{"id":"wx","policy":{"notice_url":"https://h.example/n"},"notice_key":"\#(key)"}"#
        let stored = try world.send(.post, "/api/realm", body)
        #expect(stored.status == 200)
        #expect(stored.json["notice_key"] == "******")
        for target in ["/api/realm/wx", "/api/realm"] {
            #expect(try world.send(.get, target).text.contains("canary") == false)
        }
        // It may not be taken away while somebody is to be told.
        #expect(try world.send(.post, "/api/realm", #"{"id":"wx","notice_key":null}"#).field == "notice_key")
        #expect(try policy(world, "{}").status == 200)
        #expect(try world.send(.post, "/api/realm", #"{"id":"wx","notice_key":null}"#).json["notice_key"] == nil)
        #expect(try world.send(.post, "/api/realm", #"{"id":"wx","notice_key":"short"}"#).field == "notice_key")
        #expect(try world.send(.post, "/api/realm", #"{"id":"wx","notice_key":"******"}"#).field == "notice_key")
        #expect(!world.log.contains("canary"))
    }

    // MARK: A change in the middle of a token's life

    @Test func `a changed credential's old token is stale until the new one can be had`() throws {
        let world = try World([World.token("one"), World.token("two"), World.answer(500, "")])
        try world.register()
        _ = try world.token()
        _ = try world.token("&flush=true")
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app","key_2":"another"}"#)
        // The second mint replaced a live token: the third must wait for the gap.
        let stale = try world.token()
        #expect(stale.json["token"] == "two")
        #expect(stale.json["stale"] == true)
    }

    @Test func `discard_token ends what was minted before, at once`() throws {
        let world = try World([World.token("one"), World.token("two"), World.token("three")])
        try world.register()
        _ = try world.token()
        _ = try world.token("&flush=true")
        let body = #"{"realm":"wx","key":"app","key_2":"another","discard_token":true}"#
        #expect(try world.send(.post, "/api/secret", body).status == 200)
        let fresh = try world.token()
        #expect(fresh.json["token"] == "three")
        #expect(fresh.json["stale"] == false)
        #expect(
            try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app","discard_token":1}"#).field
                == "discard_token")
    }

    @Test func `a discarded token is not served even when no other can be had`() throws {
        let world = try World([World.token("one"), World.answer(200, #"{"errcode":40125,"errmsg":"no"}"#)])
        try world.register()
        _ = try world.token()
        #expect(try world.send(.post, "/api/realm", #"{"id":"wx","discard_token":true}"#).status == 200)
        let refused = try world.token()
        #expect(refused.status == 502)
        #expect(!refused.text.contains("one"))
    }

    // MARK: Fixed tokens

    @Test func `a realm without an upstream serves the token that an administrator stored`() throws {
        let world = try World()
        _ = try world.send(.post, "/api/realm", #"{"id":"wx"}"#)
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app"}"#)
        let empty = try world.token()
        #expect(empty.status == 409)
        #expect(empty.json["detail"]?.string?.contains("PUT /api/secret/:realm/:key/token") == true)
        let stored = try world.send(.put, "/api/secret/wx/app/token", #"{"token":"canary","expires_in":60000}"#)
        #expect(stored.status == 200)
        #expect(!stored.text.contains("canary"))
        #expect(stored.json["status"]?["state"] == "fresh")
        let token = try world.token()
        #expect(token.json["token"] == "canary")
        #expect(token.json["expires_in"] == 60_000)
        #expect(token.json["source"] == "database")
        world.clock.advance(by: .milliseconds(58_001))
        #expect(try world.token().status == 409)
        _ = try world.send(.put, "/api/secret/wx/app/token", #"{"token":"eternal"}"#)
        world.clock.advance(by: .seconds(1_000_000))
        #expect(try world.token().json["token"] == "eternal")
        #expect(try world.token().json["expires_at"] == .null)
        #expect(try world.token().json["generation"] == 2)
        #expect(world.client.requests.isEmpty)
    }

    @Test(arguments: [
        (#"{}"#, "token"), (#"{"token":""}"#, "token"), (#"{"token":7}"#, "token"),
        (#"{"token":"t","expires_in":0}"#, "expires_in"), (#"{"token":"t","expires_in":"60"}"#, "expires_in"),
        (#"{"token":"t","expires_at":-1}"#, "expires_at"),
        (#"{"token":"t","expires_in":1,"expires_at":2}"#, "expires_at"),
        (#"{"token":"t","life":1}"#, "life"), (#"{"token":"a\nb"}"#, "token"), (#"{"token":"******"}"#, "token"),
    ])
    func `a bad stored token is a 400 that names the field`(body: String, field: String) throws {
        let world = try World()
        _ = try world.send(.post, "/api/realm", #"{"id":"wx"}"#)
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app"}"#)
        let answer = try world.send(.put, "/api/secret/wx/app/token", body)
        #expect(answer.status == 400)
        #expect(answer.field == field)
    }

    @Test func `a realm that fetches its tokens takes none from hand`() throws {
        let world = try World([World.token("one")])
        try world.register()
        #expect(try world.send(.put, "/api/secret/wx/app/token", #"{"token":"t"}"#).status == 409)
        #expect(try world.send(.put, "/api/secret/wx/none/token", #"{"token":"t"}"#).status == 404)
        #expect(try world.token().json["token"] == "one")
    }

    /// A realm without an upstream that serves `one`.
    private func fixed() throws -> World {
        let world = try World()
        _ = try world.send(.post, "/api/realm", #"{"id":"wx"}"#)
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app"}"#)
        _ = try world.send(.put, "/api/secret/wx/app/token", #"{"token":"one","expires_in":7200000}"#)
        return world
    }

    @Test func `whoever reports a fixed token is not answered with it, but told what to do`() throws {
        let world = try fixed()
        let report = try world.send(.put, "/api/token", #"{"realm":"wx","key":"app","now_token":"one"}"#)
        #expect(report.status == 409)
        #expect(report.json["detail"]?.string?.contains("PUT /api/secret/:realm/:key/token") == true)
        #expect(!report.text.contains("\"one\""))
        let other = try world.send(.put, "/api/token", #"{"realm":"wx","key":"app","now_token":"before"}"#)
        #expect(other.json["token"] == "one")
        #expect(try world.send(.get, "/api/secret/wx/app").json["status"]?["refreshed_elsewhere"] == nil)
    }

    @Test func `a flush of a fixed token is suppressed`() throws {
        let world = try fixed()
        let flush = try world.token("&flush=true")
        #expect(flush.json["token"] == "one")
        #expect(flush.json["refresh"] == "suppressed")
    }

    @Test func `a fixed token may be kept after an edit: nothing will be minted`() throws {
        let world = try fixed()
        let before = try world.token().header(.cacheControl)
        #expect(before == "private, max-age=60, stale-if-error=50")
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app","key_1":"another"}"#)
        let after = try world.token()
        #expect(after.header(.cacheControl) == before)
        #expect(after.json["stale"] == false)
    }

    @Test func `an empty now_token is refused, and mints nothing`() throws {
        let world = try World([World.token("one"), World.token("two")])
        try world.register()
        _ = try world.token()
        for (target, body) in [
            ("/api/token", #"{"realm":"wx","key":"app","now_token":""}"#),
            ("/api/token?realm=wx&key=app&now_token=", nil),
        ] {
            #expect(try world.send(.put, target, body).field == "now_token")
        }
        #expect(world.client.requests.count == 1)
    }

    // MARK: Budget, quota, status

    @Test func `secret and realm show what is left of the day`() throws {
        let world = try World([World.token("one"), World.token("two")])
        try world.register()
        _ = try policy(world, #"{"quota":2000,"flush_budget":5}"#)
        _ = try world.token()
        _ = try world.token("&flush=true")
        let status = try #require(try world.send(.get, "/api/secret/wx/app").json["status"])
        #expect(status["state"] == "fresh")
        #expect(status["generation"] == 2)
        #expect(status["calls"] == 2)
        #expect(status["calls_left"] == 1_998)
        #expect(status["flushes_left"] == 4)
        #expect(status["failure"] == nil)
        let usage = try #require(try world.send(.get, "/api/realm/wx").json["usage"])
        #expect(usage["calls"] == 2)
        #expect(usage["forced"] == 1)
        #expect(usage["least_calls_left"] == 1_998)
    }

    @Test func `while nobody knows what a call did, the status names its lease`() throws {
        let world = try World([World.token("one"), .failure(.ambiguous(.timeout))])
        try world.register()
        _ = try world.token()
        #expect(try world.send(.get, "/api/secret/wx/app").json["status"]?["lease"] == nil)
        world.clock.advance(by: .seconds(7_000))
        #expect(try world.token().json["stale"] == true)
        let status = try #require(try world.send(.get, "/api/secret/wx/app").json["status"])
        #expect(status["lease"]?["reason"] == "soft")
        #expect(status["in_doubt"] == nil)
        world.clock.advance(by: .seconds(11))
        #expect(try world.send(.get, "/api/secret/wx/app").json["status"]?["in_doubt"] == true)
    }

    @Test func `a flush beyond the day's budget is suppressed, a report told when it may`() throws {
        let world = try World((1...9).map { World.token("t\($0)") })
        try world.register()
        _ = try policy(world, #"{"flush_budget":2}"#)
        _ = try world.token()
        for round in 2...3 {
            world.clock.advance(by: .seconds(130))
            #expect(try world.token("&flush=true").json["token"] == .string("t\(round)"))
        }
        world.clock.advance(by: .seconds(130))
        let suppressed = try world.token("&flush=true")
        #expect(suppressed.json["token"] == "t3")
        #expect(suppressed.json["refresh"] == "suppressed")
        let report = try world.send(.put, "/api/token", #"{"realm":"wx","key":"app","now_token":"t3"}"#)
        #expect(report.status == 503)
        #expect(report.json["type"] == "/problems/calls-spent")
        #expect(report.header(.retryAfter).flatMap { Int($0) }.map { $0 > 130 } == true)
        #expect(!report.text.contains("t3"))
        // What time makes due needs no budget.
        world.clock.advance(by: .seconds(7_000))
        #expect(try world.token("&flush=true").json["token"] == "t4")
        #expect(world.client.requests.count == 4)
    }

    @Test func `a quota that is used up stops every call until the provider's midnight`() throws {
        let world = try World((1...9).map { World.token("t\($0)", life: 60) })
        try world.register()
        _ = try policy(world, #"{"quota":3,"day_offset":0}"#)
        for _ in 1...3 {
            #expect(try world.token().status == 200)
            world.clock.advance(by: .seconds(61))
        }
        let spent = try world.token()
        #expect(spent.status == 503)
        #expect(spent.json["type"] == "/problems/calls-spent")
        #expect(world.client.requests.count == 3)
        world.clock.advance(by: .seconds(86_400))
        #expect(try world.token().json["token"] == "t4")
    }

    @Test func `tokens that die young twice in a row are flagged: somebody else is refreshing`() throws {
        let world = try World((1...9).map { World.token("t\($0)") })
        try world.register()
        _ = try world.token()
        for token in ["t1", "t2"] {
            world.clock.advance(by: .seconds(10))
            _ = try world.send(
                .put, "/api/token", #"{"realm":"wx","key":"app","now_token":"\#(token)"}"#, deadline: .seconds(1))
            #expect(
                try world.send(.get, "/api/secret/wx/app").json["status"]?["refreshed_elsewhere"]
                    == (token == "t2" ? true : nil))
            world.clock.advance(by: .seconds(130))
            _ = try world.token("&flush=true")
        }
    }
}
