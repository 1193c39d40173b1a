import Clocks
import HTTP
import JSON
import TestKit
import Testing
import TokenAPI
import Tokens

/// `/api/key`: what is asked for, what is shown, what is stored.
@Suite struct KeyAdministrationTests {
    @Test func `a key is shown once, and only its digest is stored`() throws {
        let world = try World.withKeys()
        let body = #"{"role":"reader","comment":"ci","realms":["wx"],"keys":["gh/app"],"ip":["203.0.113.0/24"]}"#
        let made = try world.send(.post, "/api/key", body, as: World.key)
        #expect(made.status == 200)
        #expect(made.header(.cacheControl) == "no-store")
        let id = try #require(made.json["id"]?.string)
        let key = try #require(made.json["key"]?.string)
        #expect(key.hasPrefix("ts_\(id)_"))
        // 64 hexadecimal digits are 256 bits.
        #expect(key.utf8.count == "ts_".utf8.count + 16 + 1 + 64)
        var shown = try #require(made.json.object)
        shown["key"] = nil
        #expect(try world.send(.get, "/api/key/\(id)", as: World.key).json.object == shown)
        let list = try world.send(.get, "/api/key", as: World.key).json
        #expect(list == ["data": ["list": [.object(shown)], "total": 1], "success": "ok"])
        #expect(shown["realms"] == ["wx"])
        #expect(shown["keys"] == ["gh/app"])
        #expect(shown["ip"] == ["203.0.113.0/24"])
        #expect(shown["created_by"] == "bootstrap")

        let secret = String(key.suffix(64))
        let stored = try #require(try world.store.key(id))
        #expect(!"\(stored)".contains(secret))
        #expect(!world.log.contains(secret))
        #expect(!list.text.contains(secret))
    }

    @Test func `no two keys are alike`() throws {
        let world = try World.withKeys()
        var ids: Set<String> = []
        var keys: Set<Substring> = []
        for _ in 0..<50 {
            let made = try world.makeKey(#"{"role":"reader"}"#)
            ids.insert(made.id)
            keys.insert(made.key.suffix(64))
        }
        #expect(ids.count == 50)
        #expect(keys.count == 50)
    }

    @Test func `a key that is deleted opens nothing any more`() throws {
        let world = try World.withKeys()
        let made = try world.makeKey(#"{"role":"operator"}"#)
        #expect(try world.send(.get, "/api/realm", as: made.key).status == 200)
        let deleted = try world.send(.delete, "/api/key/\(made.id)", as: World.key)
        #expect(deleted.status == 204)
        #expect(deleted.text.isEmpty)
        #expect(try world.send(.get, "/api/realm", as: made.key).status == 401)
        #expect(try world.send(.delete, "/api/key/\(made.id)", as: World.key).status == 404)
        #expect(try world.send(.get, "/api/key/\(made.id)", as: World.key).status == 404)
        #expect(try world.send(.get, "/api/key/nonsense", as: World.key).status == 404)
    }

    @Test func `a key ends when it says`() throws {
        let world = try World.withKeys([World.token("T")])
        try world.registerAsAdministrator("wx")
        let end = world.clock.now().wall.milliseconds + 60_000
        let made = try world.makeKey(#"{"role":"operator","expires_at":\#(end)}"#)
        #expect(try world.send(.get, "/api/token?realm=wx&key=app", as: made.key).status == 200)
        world.clock.advance(by: .seconds(59))
        #expect(try world.send(.get, "/api/token?realm=wx&key=app", as: made.key).status == 200)
        world.clock.advance(by: .seconds(1))
        for target in ["/api/token?realm=wx&key=app", "/api/realm", "/nothing"] {
            let answer = try world.send(.get, target, as: made.key)
            #expect(answer.status == 401)
            #expect(answer.header(.wwwAuthenticate)?.hasPrefix("Bearer") == true)
        }
    }

    @Test(arguments: [
        (#"{}"#, "role"), (#"{"role":"root"}"#, "role"), (#"{"role":"Admin"}"#, "role"), (#"{"role":1}"#, "role"),
        (#"{"role":"reader","comment":1}"#, "comment"), (#"{"role":"reader","more":1}"#, "more"),
        (#"{"role":"reader","key":"ts_x"}"#, "key"), (#"{"role":"reader","realms":"wx"}"#, "realms"),
        (#"{"role":"reader","realms":[]}"#, "realms"), (#"{"role":"reader","keys":[]}"#, "keys"),
        (#"{"role":"reader","ip":[]}"#, "ip"), (#"{"role":"reader","realms":["wx",1]}"#, "realms.1"),
        (#"{"role":"reader","realms":["*"]}"#, "realms.0"), (#"{"role":"reader","realms":["wx "]}"#, "realms.0"),
        (#"{"role":"reader","realms":["${wx}"]}"#, "realms.0"), (#"{"role":"reader","realms":["wx%"]}"#, "realms.0"),
        (#"{"role":"reader","keys":["wx"]}"#, "keys.0"), (#"{"role":"reader","keys":["wx/a/b"]}"#, "keys.0"),
        (#"{"role":"reader","keys":["wx/a","wx/*"]}"#, "keys.1"), (#"{"role":"reader","keys":["/a"]}"#, "keys.0"),
        (#"{"role":"reader","expires_at":"soon"}"#, "expires_at"), (#"{"role":"reader","expires_at":0}"#, "expires_at"),
        (#"{"role":"reader","expires_at":1.5}"#, "expires_at"), (#"{"role":"reader","expires_at":1}"#, "expires_at"),
        (#"{"role":"reader","ip":["203.0.113.9/33"]}"#, "ip.0"), (#"{"role":"reader","ip":["203.0.113"]}"#, "ip.0"),
        (#"{"role":"reader","ip":["::1","203.0.113.9/24"]}"#, "ip.1"), (#"{"role":"reader","ip":["x"]}"#, "ip.0"),
        (#"{"role":"admin","realms":["wx"]}"#, "realms"), (#"{"role":"admin","keys":["wx/a"]}"#, "keys"),
    ])
    func `bad input names the innermost field`(body: String, field: String) throws {
        let world = try World.withKeys()
        let answer = try world.send(.post, "/api/key", body, as: World.key)
        #expect(answer.status == 400)
        #expect(answer.field == field)
        #expect(try world.store.keys(Page(number: 1, size: 1)).total == 0)
    }

    @Test func `a scope has at most a hundred entries`() throws {
        let world = try World.withKeys()
        func body(_ count: Int) -> String {
            #"{"role":"reader","realms":[\#((0..<count).map { "\"r\($0)\"" }.joined(separator: ","))]}"#
        }
        #expect(try world.send(.post, "/api/key", body(100), as: World.key).status == 200)
        #expect(try world.send(.post, "/api/key", body(101), as: World.key).field == "realms")
    }
}
