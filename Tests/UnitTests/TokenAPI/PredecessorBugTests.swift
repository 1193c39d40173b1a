import Clocks
import HTTP
import JSON
import Log
import TestKit
import Testing
import TokenAPI
import Tokens

/// The predecessor's bugs, one by one, each shown to be none of ours.
@Suite struct PredecessorBugTests {
    @Test func `1: nothing is given away without a key, and tokens are not logged`() throws {
        let closed = try World(environment: [:])
        for target in ["/api/secret", "/api/realm", "/api/token?realm=wx&key=app"] {
            #expect(try closed.send(.get, target).status == 401)
        }
        let world = try World([World.token("canary-token")])
        try world.register()
        let answer = try world.token()
        #expect(!world.log.contains("canary"))
        #expect(!answer.response.notes.contains { $0.value.contains("canary") })
    }

    @Test func `1: a list of secrets gives away neither credentials nor tokens`() throws {
        let world = try World([World.token("canary-token")])
        try world.register()
        _ = try world.token()
        #expect(!(try world.send(.get, "/api/secret").text.contains("canary")))
    }

    @Test func `3: a token of an hour or less is kept and served from the store`() throws {
        let world = try World([World.token("t", life: 3_600), World.token("u", life: 60)])
        try world.register()
        _ = try world.token()
        world.clock.advance(by: .seconds(3_000))
        #expect(try world.token().json["source"] == "database")
        try world.register(key: "short")
        _ = try world.token(key: "short")
        world.clock.advance(by: .seconds(30))
        #expect(try world.token(key: "short").json["source"] == "database")
        #expect(world.client.requests.count == 2)
    }

    @Test func `4: whoever comes while a refresh is under way causes no second call`() throws {
        let world = try World([World.token("t1")])
        try world.register()
        let id = SecretID(realm: "wx", key: "app")
        var others: [Outcome] = []
        let upstream = ScriptedUpstream { _ in .minted(.init("t1"), life: .seconds(7_200)) }
        upstream.whileUnderWay = {
            for _ in 0..<100 {
                others.append(
                    world.service.respond(
                        to: Request(.get, path: "/api/token", query: "realm=wx&key=app"), resuming: nil))
            }
        }
        let broker = Broker(store: world.store, upstream: upstream, clock: world.clock)
        guard case .answer = broker.decide(id, wish: .token(minimumLife: nil), deadline: nil) else {
            Issue.record("no answer")
            return
        }
        #expect(others.count == 100)
        for outcome in others {
            guard case .wait = outcome else {
                Issue.record("\(outcome)")
                continue
            }
        }
        #expect(upstream.calls == 1)
        #expect(world.client.requests.isEmpty)
    }

    @Test func `5: a refresh cannot undo an administrator's change made meanwhile`() throws {
        let world = try World()
        try world.register()
        let upstream = ScriptedUpstream { _ in .minted(.init("t1"), life: .seconds(7_200)) }
        upstream.whileUnderWay = {
            _ = try? world.send(.post, "/api/secret", #"{"realm":"wx","key":"app","key_1":"new","key_5":"added"}"#)
        }
        let broker = Broker(store: world.store, upstream: upstream, clock: world.clock)
        let id = SecretID(realm: "wx", key: "app")
        _ = broker.decide(id, wish: .token(minimumLife: nil), deadline: nil)
        #expect(try world.send(.get, "/api/secret/wx/app").json["key_5"] == "******")
        #expect(try world.store.material(id)?.credentials["key_1"]?.reveal() == "new")
    }

    @Test func `6: an error code in a 200 is no success, and a success without one is`() throws {
        let world = try World([
            World.answer(200, #"{"errcode":40125,"errmsg":"bad","access_token":"x"}"#), World.token("t"),
        ])
        try world.register()
        #expect(try world.token().status == 502)
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app","key_2":"good"}"#)
        #expect(try world.token().json["token"] == "t")
    }

    @Test func `7: a path is a path, and a missing lifetime makes no broken number`() throws {
        let recipe = World.recipe.replacing(#""access_token""#, with: #""data.list.0.token""#)
            .replacing(#""expires_in_path":"expires_in""#, with: #""expires_in_path":"data.expire""#)
        let world = try World([World.answer(200, #"{"data":{"list":[{"token":"deep"}],"expire":"7200"}}"#)])
        try world.register(recipe: recipe)
        let answer = try world.token().json
        #expect(answer["token"] == "deep")
        #expect(answer["expires_in"] == 7_200_000)
        let without = try World([World.answer(200, #"{"data":{"list":[{"token":"deep"}]}}"#)])
        try without.register(recipe: recipe)
        #expect(try without.token().json["expires_in"] == .null)
        #expect(try without.token().json["source"] == "database")
    }

    @Test(arguments: ["$token", "$expires_at", "$key_9", "$realm"])
    func `8: only credentials can be named, and an unknown one sends nothing`(name: String) throws {
        let world = try World([World.token("t")])
        try world.register(recipe: World.recipe.replacing("$key_1", with: name))
        let answer = try world.token()
        #expect(answer.status == 502)
        #expect(world.client.requests.isEmpty)
        #expect(!answer.text.contains("undefined"))
    }

    @Test func `8: numbers and booleans are values too`() throws {
        let world = try World([World.token("t")])
        try world.register(
            recipe: World.recipe.replacing(#""$key_1""#, with: "7").replacing(#""$key_2""#, with: "true"))
        #expect(try world.token().status == 200)
        #expect(world.client.requests.first?.url.hasSuffix("?appid=7&secret=true") == true)
    }

    @Test func `9: no parameter is ever dropped, and no secret goes to a foreign provider`() throws {
        let world = try World([World.token("t")])
        try world.register()
        try world.register(realm: "other", key: "theirs")
        for query in ["", "?key=app", "?realm=wx", "?realm=&key=", "?realm=other&key=app"] {
            let status = try world.send(.get, "/api/token" + query).status
            #expect(status == 400 || status == 404)
        }
        #expect(world.client.requests.isEmpty)
    }

    @Test func `10: a deleted realm is a 404, and a page has an upper bound`() throws {
        let world = try World()
        try world.register()
        _ = try world.send(.delete, "/api/secret/wx/app")
        _ = try world.send(.delete, "/api/realm/wx")
        #expect(try world.token().status == 404)
        for number in 0..<101 { _ = try world.send(.post, "/api/realm", #"{"id":"r\#(number)"}"#) }
        #expect(try world.send(.get, "/api/realm?pageSize=1000000").json["data"]?["list"]?.array?.count == 100)
    }

    @Test func `11: a token cannot be planted by a write of its secret`() throws {
        let world = try World()
        try world.register()
        for member in [#""token":"planted""#, #""expires_at":4102444800000"#, #""generation":9"#] {
            #expect(try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app",\#(member)}"#).status == 400)
        }
    }

    @Test(arguments: [
        "http://169.254.169.254/latest", "https://127.0.0.1/x", "https://localhost/x", "http://plain.example/x",
        "file:///etc/passwd",
        "https://[::1]/", "gopher://h/",
    ])
    func `12: a recipe cannot reach inside`(url: String) throws {
        let world = try World()
        let recipe = World.recipe.replacing("https://provider.test/cgi-bin/token", with: url)
        let answer = try world.send(.post, "/api/realm", #"{"id":"wx","config":\#(recipe)}"#)
        #expect(answer.status == 400)
        #expect(answer.field == "config.url")
    }

    @Test func `13: a form can be sent, and a body of GET goes to the query`() throws {
        let form = """
            {"url":"https://provider.test/oauth2/token","method":"POST","content_type":"form","arguments":[
              {"name":"grant_type","place":"body","value":"client_credentials"},
              {"name":"client_id","place":"body","value":"$key_1"}],"token_path":"access_token","expires_in_path":"expires_in"}
            """
        let world = try World([World.token("t"), World.token("u")])
        try world.register(recipe: form)
        #expect(try world.token().status == 200)
        let sent = try #require(world.client.requests.first)
        #expect(String(decoding: sent.body, as: UTF8.self) == "grant_type=client_credentials&client_id=an-appid")
        #expect(sent.fields[.contentType] == "application/x-www-form-urlencoded")
        try world.register(realm: "get", recipe: World.recipe.replacing(#""place":"url""#, with: #""place":"body""#))
        #expect(try world.token(realm: "get").status == 200)
        #expect(world.client.requests.last?.url.contains("?appid=an-appid&secret=") == true)
        #expect(world.client.requests.last?.body.isEmpty == true)
    }

    @Test func `14: there is no open relay`() throws {
        let world = try World()
        #expect(try world.send(.post, "/code/token", #"{"key_1":"corp","key_2":"secret"}"#).status == 404)
        #expect(world.client.requests.isEmpty)
    }
}
