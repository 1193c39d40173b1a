import Clocks
import HTTP
import JSON
import TestKit
import Testing
import Tokens

/// Tokens over HTTP, sentence by sentence of their contract, with the real recipes on a scripted client.
@Suite struct TokenTests {
    @Test func `a token comes from upstream once, then from the database`() throws {
        let world = try World([World.token("t1")])
        try world.register()
        let first = try world.token()
        #expect(first.status == 200)
        let now = world.clock.now().wall.milliseconds
        #expect(
            first.json == [
                "token": "t1", "expires_in": 7_200_000, "expires_at": JSON.Value(now + 7_200_000), "source": "upstream",
                "generation": 1, "stale": false,
            ])
        world.clock.advance(by: .milliseconds(1_500))
        let second = try world.token()
        #expect(second.json["source"] == "database")
        #expect(second.json["expires_in"] == 7_198_500)
        #expect(second.json["expires_at"] == first.json["expires_at"])
        #expect(
            world.client.requests.map(\.url) == [
                "https://provider.test/cgi-bin/token?appid=an-appid&secret=canary-secret"
            ])
    }

    @Test func `a token without expiry has nulls`() throws {
        let world = try World([World.answer(200, #"{"access_token":"t"}"#)])
        try world.register()
        let answer = try world.token()
        #expect(answer.json["expires_in"] == .null)
        #expect(answer.json["expires_at"] == .null)
    }

    @Test func `how long an answer may be kept follows from what is left`() throws {
        let world = try World([World.token("t1"), .failure(.notSent(.connect))])
        try world.register()
        // cap = min(60, 300 − 10, 120 − 10); stale-if-error = min(7200, 300, 120) − 10 − 60.
        #expect(try world.token().header(.cacheControl) == "private, max-age=60, stale-if-error=50")
        world.clock.advance(by: .seconds(7_150))
        let late = try world.token()
        // 50 s left: 50 − 10, and nothing beyond.
        #expect(late.header(.cacheControl) == "private, max-age=40, stale-if-error=0")
        #expect(late.json["stale"] == true)
    }

    @Test func `a tag names the token, and whoever knows it is told so`() throws {
        let world = try World([World.token("t1"), World.token("t2")])
        try world.register()
        let tag = try #require(try world.token().header(.etag))
        let same = try world.send(.get, "/api/token?realm=wx&key=app", fields: [Field(.ifNoneMatch, "\"x\", \(tag)")])
        #expect(same.status == 304)
        #expect(same.response.body.isEmpty)
        #expect(same.header(.etag) == tag)
        #expect(same.header(.cacheControl) != nil)
        let flushed = try world.send(.get, "/api/token?realm=wx&key=app&flush=true", fields: [Field(.ifNoneMatch, tag)])
        #expect(flushed.status == 200)
        #expect(flushed.header(.etag) != tag)
    }

    // MARK: Flush

    @Test func `the first flush after the first mint is free, the next waits for the gap`() throws {
        let world = try World([World.token("t1"), World.token("t2"), World.token("t3")])
        try world.register()
        _ = try world.token()
        let first = try world.token("&flush=true").json
        #expect(first["token"] == "t2")
        #expect(first["generation"] == 2)
        #expect(first["refresh"] == nil)
        world.clock.advance(by: .seconds(119))
        let second = try world.token("&flush=true").json
        #expect(second["token"] == "t2")
        #expect(second["refresh"] == "suppressed")
        world.clock.advance(by: .seconds(1))
        #expect(try world.token("&flush=true").json["token"] == "t3")
    }

    @Test(arguments: [
        "flush=yes", "flush=1", "flush=", "flush=TRUE", "min_ttl=-1", "min_ttl=x", "min_ttl=1.5",
        "flush=true&flush=true",
    ])
    func `any other value is refused by name`(argument: String) throws {
        let world = try World()
        let answer = try world.token("&" + argument)
        #expect(answer.status == 400)
        #expect(answer.field == String(argument.prefix { $0 != "=" }))
    }

    @Test func `arguments may come in a JSON body, and the query wins`() throws {
        let world = try World([World.token("t1"), World.token("t2")])
        try world.register()
        let body = #"{"realm":"wx","key":"app","flush":false}"#
        #expect(try world.send(.get, "/api/token", body).json["token"] == "t1")
        #expect(try world.send(.get, "/api/token?flush=true", body).json["token"] == "t2")
        #expect(try world.send(.get, "/api/token?realm=none", body).status == 404)
        #expect(try world.send(.get, "/api/token", #"{"realm":"wx","key":"app","flush":"true"}"#).field == "flush")
        #expect(try world.send(.get, "/api/token", #"{"realm":"wx","key":"app","colour":1}"#).field == "colour")
    }

    @Test(arguments: [("?key=app", "realm"), ("?realm=wx", "key"), ("", "realm"), ("?realm=&key=app", "realm")])
    func `realm and key are required`(query: String, field: String) throws {
        let world = try World([World.token("t1")])
        try world.register()
        let answer = try world.send(.get, "/api/token" + query)
        #expect(answer.status == 400)
        #expect(answer.field == field)
        #expect(world.client.requests.isEmpty)
    }

    @Test func `an unknown realm or secret is a 404, a name that cannot be one a 400`() throws {
        let world = try World()
        try world.register()
        #expect(try world.token(realm: "none").json["type"] == "/problems/realm-not-found")
        #expect(try world.token(key: "none").json["type"] == "/problems/secret-not-found")
        #expect(try world.token(realm: "a%20b").status == 400)
    }

    // MARK: Reports

    @Test func `a report refreshes only the stored token, and is never answered with it`() throws {
        let world = try World([World.token("t1"), World.token("t2")])
        try world.register()
        _ = try world.token()
        let first = try world.send(.put, "/api/token", #"{"realm":"wx","key":"app","now_token":"t1"}"#)
        #expect(first.json["token"] == "t2")
        let late = try world.send(.put, "/api/token", #"{"realm":"wx","key":"app","now_token":"t1"}"#)
        #expect(late.json["token"] == "t2")
        #expect(late.json["source"] == "database")
        let held = try world.send(.put, "/api/token", #"{"realm":"wx","key":"app","now_token":"t2"}"#)
        #expect(held.status == 503)
        #expect(held.header(.retryAfter) == "120")
        #expect(!held.text.contains("t2"))
        #expect(world.client.requests.count == 2)
    }

    @Test func `a PUT without a token is a flush`() throws {
        let world = try World([World.token("t1"), World.token("t2")])
        try world.register()
        _ = try world.token()
        #expect(try world.send(.put, "/api/token", #"{"realm":"wx","key":"app"}"#).json["token"] == "t2")
    }

    @Test func `the same token again keeps its generation`() throws {
        let world = try World([World.token("same"), World.token("same", life: 7_000)])
        try world.register()
        _ = try world.token()
        let again = try world.token("&flush=true").json
        #expect(again["generation"] == 1)
        #expect(again["token"] == "same")
        #expect(again["expires_in"] == 7_000_000)
    }

    // MARK: Failures

    @Test func `a refusal is a 502 with the provider's code, kept for a while`() throws {
        let refusal = World.answer(200, #"{"errcode":40013,"errmsg":"invalid appid canary-secret rid: 1"}"#)
        let world = try World([refusal, World.token("t1")])
        try world.register()
        for _ in 0..<2 {
            let answer = try world.token()
            #expect(answer.status == 502)
            #expect(answer.json["type"] == "/problems/provider-refused")
            #expect(answer.json["provider"]?["code"] == "40013")
            #expect(!answer.text.contains("canary"))
            #expect(answer.header(.retryAfter) == "60")
        }
        #expect(world.client.requests.count == 1)
        // A corrected credential is tried at once.
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app","key_2":"corrected"}"#)
        #expect(try world.token().json["token"] == "t1")
    }

    @Test(arguments: [
        ("40164", "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 5f7fd1a2-6c2d5b3a-1f0d2c4e"),
        (
            "60020",
            "not allow to access from your ip, hint: [1637661298054015283117637], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=60020"
        ),
        ("61004", "access clientip is not registered requestIP: 203.0.113.7 rid: 5f7fd1a2-6c2d5b3a-1f0d2c4e"),
    ])
    func `an address that the provider refuses is named, with what to do`(code: String, message: String) throws {
        let world = try World([World.answer(200, #"{"errcode":\#(code),"errmsg":"\#(message)"}"#)])
        try world.register()
        let answer = try world.token()
        #expect(answer.status == 502)
        #expect(answer.json["type"] == "/problems/provider-refused")
        #expect(answer.json["provider"]?["code"] == .string(code))
        #expect(answer.json["provider"]?["address"] == "203.0.113.7")
        let detail = answer.json["detail"]?.string ?? ""
        #expect(detail.contains("Add the address 203.0.113.7 to the application's list of allowed addresses"))
        #expect(answer.header(.retryAfter) == "60")
    }

    @Test(arguments: [200, 302, 404, 500])
    func `an answer that cannot be used is a 502`(status: Int) throws {
        let world = try World([World.answer(status, "<html>canary</html>")])
        try world.register()
        let answer = try world.token()
        #expect(answer.status == 502)
        #expect(!answer.text.contains("canary"))
    }

    @Test func `a provider that cannot be reached is a 503`() throws {
        let world = try World([.failure(.notSent(.connect))])
        try world.register()
        let answer = try world.token()
        #expect(answer.status == 503)
        #expect(answer.json["type"] == "/problems/provider-unreachable")
        #expect(answer.header(.retryAfter) != nil)
    }

    @Test func `while a refresh fails the old token is served, and nothing is touched`() throws {
        let world = try World([World.token("t1"), World.answer(200, #"{"errcode":45009,"errmsg":"quota"}"#)])
        try world.register()
        _ = try world.token()
        let before = try world.send(.get, "/api/secret?realm=wx").text
        world.clock.advance(by: .seconds(7_000))
        for _ in 0..<2 {
            let answer = try world.token().json
            #expect(answer["token"] == "t1")
            #expect(answer["stale"] == true)
            #expect(answer["generation"] == 1)
        }
        #expect(world.client.requests.count == 2)
        #expect(try world.send(.get, "/api/secret?realm=wx").text == before)
    }

    @Test func `a realm without an upstream has no token to give`() throws {
        let world = try World()
        _ = try world.send(.post, "/api/realm", #"{"id":"wx"}"#)
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app"}"#)
        let answer = try world.token()
        #expect(answer.status == 409)
        #expect(answer.json["type"] == "/problems/no-upstream")
    }

    @Test func `a changed credential makes the token due at once`() throws {
        let world = try World([World.token("t1"), World.token("t2")])
        try world.register()
        _ = try world.token()
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app","key_2":"other"}"#)
        #expect(try world.token().json["token"] == "t2")
        // The same content again is no change.
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app","key_2":"other"}"#)
        #expect(try world.token().json["source"] == "database")
    }

    @Test func `no secret is ever logged or noted`() throws {
        let world = try World([World.token("canary-token"), .failure(.ambiguous(.timeout))])
        try world.register()
        let answers = [
            try world.token(), try world.token("&flush=true"),
            try world.send(.put, "/api/token", #"{"realm":"wx","key":"app","now_token":"canary-token"}"#),
        ]
        let notes = answers.flatMap(\.response.notes).map(\.value).joined()
        #expect(!(notes + world.log).contains("canary"))
    }
}
