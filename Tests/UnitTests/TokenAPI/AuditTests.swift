import HTTP
import JSON
import TestKit
import Testing
import TokenAPI
import Tokens

/// One entry for every write, mint and flush; none for what only reads.
@Suite struct AuditEntryTests {
    private static func entries(_ world: World) throws -> [String] {
        try world.send(.get, "/api/audit?pageSize=100").json["data"]?["list"]?.array?.reversed().map { entry in
            ["action", "realm", "key", "outcome", "detail"].map { entry[$0]?.string ?? "-" }.joined(separator: "|")
        } ?? []
    }

    @Test func `each write leaves the names of what it changed, never a value`() throws {
        let world = try World()
        try world.register()
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app","key_2":"canary-two"}"#)
        _ = try world.send(.delete, "/api/secret/wx/app")
        _ = try world.send(.delete, "/api/realm/wx")
        _ = try world.send(.post, "/api/realm", #"{"id":"fixed"}"#)
        _ = try world.send(.post, "/api/secret", #"{"realm":"fixed","key":"app"}"#)
        _ = try world.send(.put, "/api/secret/fixed/app/token", #"{"token":"canary-token"}"#)
        let made = try world.send(.post, "/api/key", #"{"role":"reader"}"#)
        let id = try #require(made.json["id"]?.string)
        _ = try world.send(.delete, "/api/key/\(id)")
        #expect(
            try Self.entries(world) == [
                "realm.write|wx|-|stored|config", "secret.write|wx|app|stored|key_1, key_2",
                "secret.write|wx|app|stored|key_2", "secret.delete|wx|app|deleted|", "realm.delete|wx|-|deleted|",
                "realm.write|fixed|-|stored|", "secret.write|fixed|app|stored|", "token.place|fixed|app|stored|",
                "key.create|-|-|stored|\(id) reader", "key.delete|-|-|deleted|\(id)",
            ])
        let text = try world.send(.get, "/api/audit").text
        #expect(!text.contains("canary"))
        let first = try world.send(.get, "/api/audit?pageSize=1").json["data"]?["list"]?.array?.first
        #expect(first?["caller"] == "anybody")
        #expect(first?["request_id"] == "request-1")
    }

    @Test func `a mint and a flush leave an entry each, a hit none`() throws {
        let world = try World([World.token("one"), World.token("two")])
        try world.register()
        let before = try Self.entries(world).count
        _ = try world.token()
        _ = try world.token()
        #expect(try Self.entries(world).dropFirst(before) == ["token.mint|wx|app|minted|dead"])
        _ = try world.token("&flush=true")
        _ = try world.token("&flush=true")
        _ = try world.send(.put, "/api/token?realm=wx&key=app&now_token=another")
        #expect(
            try Self.entries(world).dropFirst(before + 1) == [
                "token.mint|wx|app|minted|flush", "token.flush|wx|app|refreshed|", "token.flush|wx|app|suppressed|",
            ])
    }

    @Test func `a provider that refuses leaves its class`() throws {
        let world = try World([World.answer(200, #"{"errcode":40013,"errmsg":"canary"}"#)])
        try world.register()
        let before = try Self.entries(world).count
        #expect(try world.token("&flush=true").status == 502)
        #expect(
            try Self.entries(world).dropFirst(before) == [
                "token.mint|wx|app|failed: configuration|dead", "token.flush|wx|app|refused: provider-refused|",
            ])
    }

    @Test func `what is refused or changes nothing leaves none`() throws {
        let world = try World()
        try world.register()
        let before = try Self.entries(world)
        _ = try world.send(.post, "/api/realm", #"{"id":"wx","token":1}"#)
        _ = try world.send(.post, "/api/secret", #"{"realm":"none","key":"app"}"#)
        _ = try world.send(.delete, "/api/realm/wx")
        _ = try world.send(.delete, "/api/realm/none")
        _ = try world.send(.delete, "/api/secret/wx/none")
        _ = try world.send(.delete, "/api/key/none")
        _ = try world.token("&flush=true", key: "none")
        _ = try world.send(.get, "/api/secret/wx/app")
        #expect(try Self.entries(world) == before)
    }

    @Test func `a key is told apart within its realm`() throws {
        let world = try World()
        #expect(try world.send(.get, "/api/audit?key=app").field == "realm")
        #expect(try world.send(.get, "/api/audit?page=0").field == "page")
    }

    @Test func `how long entries are kept is a number of days`() throws {
        for text in ["x", "-1", "36501", "1.5"] {
            #expect(throws: Settings.Failure.self) { try World(environment: ["AUDIT_RETENTION_DAYS": text]) }
        }
        let world = try World(environment: ["AUTH": "none", "AUDIT_RETENTION_DAYS": "1"])
        try world.register()
        world.clock.advance(by: .seconds(86_401))
        let done = world.service.run(Schedule(job: "refresh", id: "event-1"), deadline: nil)
        #expect(try JSON.Value(parsing: done.body)["pruned"] == 2)
        #expect(try Self.entries(world) == [])
    }
}
