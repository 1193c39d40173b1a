import Clocks
import Crypto
import HTTP
import JSON
import TestKit
import Testing
import TokenAPI
import Tokens

/// What the schedule does: refreshes before anybody waits, and notices of change.
@Suite struct UpkeepTests {
    private func tick(_ world: World, within limit: Duration = .seconds(60)) -> JSON.Value {
        let deadline = world.clock.now() + limit
        let response = world.service.run(Schedule(job: nil, id: "tick"), deadline: deadline)
        return (try? JSON.Value(parsing: response.body)) ?? .null
    }

    private func policy(_ world: World, _ text: String) throws {
        let answer = try world.send(.post, "/api/realm", #"{"id":"wx","policy":\#(text)}"#)
        try #require(answer.status == 200, "\(answer.text)")
    }

    // MARK: Refreshes

    @Test func `what turns soft is refreshed before a caller meets it`() throws {
        let world = try World([World.token("one"), World.token("two")])
        try world.register()
        _ = try world.token()
        #expect(tick(world)["refreshed"] == 0)
        // Class A: soft at 300 s, and up to 30 s of jitter.
        world.clock.advance(by: .seconds(6_930))
        #expect(tick(world)["refreshed"] == 1)
        #expect(tick(world)["refreshed"] == 0)
        let answer = try world.token()
        #expect(answer.json["token"] == "two")
        #expect(answer.json["source"] == "database")
        #expect(world.client.requests.count == 2)
    }

    @Test func `a realm may keep the schedule out`() throws {
        let world = try World([World.token("one")])
        try world.register()
        _ = try world.token()
        try policy(world, #"{"scheduled_refresh":false}"#)
        world.clock.advance(by: .seconds(6_930))
        #expect(tick(world)["passed"] == 1)
        #expect(tick(world)["passed"] == 0)
        #expect(world.client.requests.count == 1)
    }

    @Test func `a realm that lets the schedule in again is refreshed by it`() throws {
        let world = try World([World.token("one"), World.token("two")])
        try world.register()
        try policy(world, #"{"scheduled_refresh":false}"#)
        _ = try world.token()
        world.clock.advance(by: .seconds(6_600))
        try policy(world, #"{"scheduled_refresh":true}"#)
        // It comes back with the first caller, and before the token turns soft.
        #expect(try world.token().json["token"] == "one")
        world.clock.advance(by: .seconds(330))
        #expect(tick(world)["refreshed"] == 1)
    }

    @Test func `a secret that nobody asks for is left to lapse, and comes back when somebody does`() throws {
        let world = try World((1...9).map { World.token("t\($0)") })
        try world.register()
        try policy(world, #"{"idle_after":10000}"#)
        _ = try world.token()
        world.clock.advance(by: .seconds(6_930))
        #expect(tick(world)["refreshed"] == 1)
        world.clock.advance(by: .seconds(6_930))
        #expect(tick(world)["lapsed"] == 1)
        world.clock.advance(by: .seconds(6_930))
        #expect(tick(world) == tick(world))
        #expect(world.client.requests.count == 2)
        #expect(try world.token().json["token"] == "t3")
        world.clock.advance(by: .seconds(6_930))
        #expect(tick(world)["refreshed"] == 1)
    }

    @Test func `a failure is tried again when its pause is over, not at every tick`() throws {
        let refusal = World.answer(200, #"{"errcode":40125,"errmsg":"no"}"#)
        let world = try World([World.token("one"), refusal, refusal])
        try world.register()
        _ = try world.token()
        world.clock.advance(by: .seconds(6_930))
        #expect(tick(world)["failed"] == 1)
        #expect(tick(world)["failed"] == 0)
        #expect(world.client.requests.count == 2)
        world.clock.advance(by: .seconds(61))
        #expect(tick(world)["failed"] == 1)
        #expect(world.client.requests.count == 3)
    }

    @Test func `the most urgent come first, and what there is no time for is left`() throws {
        let world = try World((1...20).map { World.token("t\($0)") })
        try world.register()
        for key in ["b", "c"] {
            _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"\#(key)","key_1":"a","key_2":"b"}"#)
        }
        for key in ["app", "b", "c"] {
            _ = try world.token(key: key)
            world.clock.advance(by: .seconds(100))
        }
        world.clock.advance(by: .seconds(7_000))
        let cut = tick(world, within: .seconds(4))
        #expect(cut["cut_short"] == true)
        #expect(cut["refreshed"] == 0)
        #expect(tick(world)["refreshed"] == 3)
        let order = world.client.requests.suffix(3).map(\.url)
        #expect(order.first?.contains("an-appid") == true)
    }

    @Test func `another job is refused by name`() throws {
        let world = try World()
        let response = world.service.run(Schedule(job: "dance", id: "1"), deadline: nil)
        #expect(response.status.code == 400)
    }

    // MARK: Notices

    private let key = "0123456789abcdef0123456789abcdef"

    private func listening(_ answers: [ScriptedClient.Answer]) throws -> World {
        let world = try World(answers)
        try world.register()
        let body = #"{"id":"wx","policy":{"notice_url":"https://provider.test/notice"},"notice_key":"\#(key)"}"#
        try #require(try world.send(.post, "/api/realm", body).status == 200)
        return world
    }

    @Test func `a new generation is told to the realm's URL, signed and without the token`() throws {
        let world = try listening([World.token("canary-token"), World.answer(204, "")])
        _ = try world.token()
        #expect(world.client.requests.count == 1)
        #expect(tick(world)["delivered"] == 1)
        #expect(tick(world)["delivered"] == 0)
        let request = try #require(world.client.requests.last)
        #expect(request.url == "https://provider.test/notice")
        let body = try JSON.Value(parsing: request.body)
        #expect(body["type"] == "token")
        #expect(body["realm"] == "wx")
        #expect(body["key"] == "app")
        #expect(body["generation"] == 1)
        #expect(!String(decoding: request.body, as: UTF8.self).contains("canary"))
        let id = try #require(Field.Name("webhook-id").flatMap { request.fields[$0] })
        let timestamp = try #require(Field.Name("webhook-timestamp").flatMap { request.fields[$0] })
        let signature = try #require(Field.Name("webhook-signature").flatMap { request.fields[$0] })
        let message = Array("\(id).\(timestamp).".utf8) + request.body
        let code = try HMAC.code(of: message, key: Array(key.utf8))
        #expect(try signature == "v1,\(Base64.encode(code))")
    }

    @Test func `a token that an administrator stores is told as well`() throws {
        let world = try World([World.answer(204, "")])
        let body = #"{"id":"wx","policy":{"notice_url":"https://provider.test/notice"},"notice_key":"\#(key)"}"#
        try #require(try world.send(.post, "/api/realm", body).status == 200)
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app"}"#)
        _ = try world.send(.put, "/api/secret/wx/app/token", #"{"token":"canary"}"#)
        #expect(tick(world)["delivered"] == 1)
        let told = try #require(world.client.requests.last).body
        let notice = try JSON.Value(parsing: told)
        #expect(notice["type"] == "token")
        #expect(notice["generation"] == 1)
        #expect(!String(decoding: told, as: UTF8.self).contains("canary"))
    }

    @Test func `a refresh that failed is told, whether or not the provider spoke`() throws {
        let world = try listening([
            World.answer(200, #"{"errcode":40125,"errmsg":"no"}"#), World.answer(200, ""),
            .failure(.ambiguous(.timeout)),
            World.answer(200, ""),
        ])
        _ = try world.token()
        #expect(tick(world)["delivered"] == 1)
        let first = try JSON.Value(parsing: try #require(world.client.requests.last).body)
        #expect(first["type"] == "failure")
        #expect(first["generation"] == 0)
        #expect(first["failure"]?["class"] == "configuration")
        #expect(first["failure"]?["code"] == "40125")
        world.clock.advance(by: .seconds(61))
        _ = try world.token()
        #expect(tick(world)["delivered"] == 1)
        let second = try JSON.Value(parsing: try #require(world.client.requests.last).body)
        #expect(second["failure"]?["class"] == "transient")
    }

    @Test func `a notice that nobody takes comes again later, and is given up after three days`() throws {
        let world = try listening([World.token("one")])
        try policy(world, #"{"notice_url":"https://provider.test/notice","scheduled_refresh":false}"#)
        _ = try world.token()
        var attempts = 0
        var hours = 0
        while hours < 100 {
            let report = tick(world)
            if report["undelivered"] == 1 { attempts += 1 }
            world.clock.advance(by: .seconds(3_600))
            hours += 1
        }
        #expect(attempts > 60)
        #expect(attempts < 80)
        #expect(world.log.contains("given-up"))
    }

    @Test func `no answer to a caller ever waits for a notice`() throws {
        let world = try listening([World.token("one"), World.answer(500, "")])
        #expect(try world.token().json["token"] == "one")
        #expect(world.client.requests.count == 1)
    }

    @Test func `one realm that does not answer is asked once a tick, the others are told`() throws {
        let world = try listening([
            World.token("one"), World.token("two"), World.answer(500, ""), World.answer(204, ""),
        ])
        _ = try world.token()
        _ = try world.token("&flush=true")
        let report = tick(world)
        #expect(report["undelivered"] == 1)
        #expect(report["delivered"] == 0)
        #expect(world.client.requests.count == 3)
        world.clock.advance(by: .seconds(61))
        #expect(tick(world)["delivered"] == 1)
    }

    @Test func `a long queue for a URL that is dead keeps no other realm waiting`() throws {
        let world = try listening([World.answer(500, ""), World.answer(204, ""), World.answer(500, "")])
        try world.register(realm: "qq")
        let body = #"{"id":"qq","policy":{"notice_url":"https://provider.test/other"},"notice_key":"\#(key)"}"#
        try #require(try world.send(.post, "/api/realm", body).status == 200)
        func add(_ realm: String, _ count: Int64) throws {
            for generation in 1...count {
                try world.store.abandon(
                    SecretID(realm: realm, key: "app"), fence: 0, extraCalls: 0,
                    notice: Notice(.token, generation: generation))
            }
        }
        try add("wx", 120)
        try add("qq", 1)
        let first = tick(world)
        #expect(first["undelivered"] == 1)
        #expect(first["delivered"] == 1)
        #expect(world.client.requests.map(\.url) == ["https://provider.test/notice", "https://provider.test/other"])
        // The whole queue waits with the one that failed.
        #expect(tick(world)["undelivered"] == 0)
        world.clock.advance(by: .seconds(61))
        #expect(tick(world)["undelivered"] == 1)
        // What is three days old is given up, the whole of it.
        world.clock.advance(by: .seconds(3 * 86_400))
        _ = tick(world)
        world.clock.advance(by: .seconds(3_601))
        #expect(tick(world)["undelivered"] == 0)
    }
}
