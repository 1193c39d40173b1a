import HTTP
import JSON
import Log
import TestKit
import Testing
import TokenAPI
import Tokens

/// A URL that is changed must not receive the credentials that were entered for another.
@Suite struct ConfirmationTests {
    private static func recipe(_ url: String, _ rest: String = "") -> String {
        #"{"url":"\#(url)","arguments":[{"name":"secret","place":"url","value":"$key_2"}],"token_path":"access_token","#
            + #""expires_in_path":"expires_in"\#(rest)}"#
    }

    private func change(_ world: World, _ members: String) throws {
        let answer = try world.send(.post, "/api/realm", #"{"id":"wx",\#(members)}"#)
        try #require(answer.status == 200, "\(answer.text)")
    }

    private func reenter(_ world: World, _ members: String) throws -> World.Answer {
        try world.send(.post, "/api/secret", #"{"realm":"wx","key":"app",\#(members)}"#)
    }

    private func confirm(_ world: World, _ destination: String) throws -> World.Answer {
        try world.send(.post, "/api/realm/wx/confirm", #"{"destination":"\#(destination)"}"#)
    }

    /// Ways to make stored credentials travel elsewhere.
    static let moves = [
        #""config":"# + recipe("https://evil.example/cgi-bin/token"),
        #""config":"# + recipe("http://provider.test/cgi-bin/token"),
        #""config":"# + recipe("https://provider.test:8443/cgi-bin/token"),
        #""config":"# + recipe("https://provider.test.evil.example/cgi-bin/token"),
        #""config":"# + recipe("https://evil.example/provider.test", #","method":"POST""#),
        #""config":null,"logic_code":"https://evil.example/""#,
    ]

    @Test(arguments: moves)
    func `CVE-2024-6587 (LiteLLM): stored credentials do not follow a changed URL until an administrator confirms`(
        move: String
    ) throws {
        let world = try World([World.token("T")])
        try world.register()
        try change(world, move)
        for _ in 0..<3 {
            let refused = try world.token()
            #expect(refused.status == 409)
            #expect(refused.json["type"] == "/problems/confirmation-required")
            #expect(!refused.text.contains("canary-secret"))
        }
        #expect(try world.token("&flush=true").status == 409)
        #expect(try world.send(.put, "/api/token", #"{"realm":"wx","key":"app"}"#).status == 409)
        #expect(world.client.requests.isEmpty)

        let realm = try world.send(.get, "/api/realm/wx").json
        #expect(realm["unconfirmed_secrets"] == 1)
        let destination = try #require(realm["destination"]?.string)
        let confirmed = try confirm(world, destination)
        #expect(confirmed.status == 200)
        #expect(confirmed.json["confirmed"] == 1)
        #expect(try world.token().json["token"] == (move.contains("logic_code") ? nil : "T"))
        #expect(world.client.requests.count == 1)
        #expect(world.client.requests.first?.url.hasPrefix(destination) == true)
        #expect(try world.send(.get, "/api/realm/wx").json["unconfirmed_secrets"] == 0)
    }

    @Test func `CVE-2024-6587 (LiteLLM): no parameter, field or body of a request says where credentials go`() throws {
        let world = try World((0..<100).map { World.token("T\($0)") })
        try world.register()
        try change(world, #""policy":{"class":"G","gap":0}"#)
        let url = "https://evil.example"
        for name in [
            "url", "api_base", "base_url", "host", "endpoint", "destination", "logic_code", "config", "proxy",
            "callback",
        ] {
            _ = try world.token("&flush=true&\(name)=\(url)/")
            let body = #"{"realm":"wx","key":"app","\#(name)":"\#(url)"}"#
            #expect(try world.send(.put, "/api/token", body).status == 400, "\(name)")
            for field in [name, "x-\(name.replacing("_", with: "-"))", "x-forwarded-host"] {
                let forged = Field(try #require(Field.Name(field)), url)
                _ = try world.send(.get, "/api/token?realm=wx&key=app&flush=true", fields: [forged])
            }
        }
        #expect(world.client.requests.count > 10)
        #expect(world.client.requests.allSatisfy { $0.url.hasPrefix("https://provider.test/cgi-bin/token?") })
        #expect(world.client.requests.allSatisfy { !$0.url.contains("evil") })
    }

    @Test(arguments: [
        #""config":"# + recipe("https://provider.test/other?x=1"),
        #""config":"# + recipe("https://PROVIDER.test:443/cgi-bin/token", #","method":"POST""#),
        #""config":null,"logic_code":"https://provider.test/code""#, #""comment":"c""#, #""policy":{"gap":60}"#,
    ])
    func `a change that keeps scheme, host and port voids nothing`(change: String) throws {
        let world = try World([World.token("T"), World.answer(200, #"{"token":"T"}"#)])
        try world.register()
        try self.change(world, change)
        _ = try world.token()
        #expect(world.client.requests.count == 1)
    }

    @Test func `a stored token that lives goes on being served`() throws {
        let world = try World([World.token("old"), World.token("new")])
        try world.register()
        #expect(try world.token().json["token"] == "old")
        try change(world, ConfirmationTests.moves[0])
        for _ in 0..<3 {
            let answer = try world.token()
            #expect(answer.status == 200)
            #expect(answer.json["token"] == "old")
            #expect(answer.json["stale"] == true)
        }
        #expect(world.client.requests.count == 1)
        world.clock.advance(by: .seconds(7_300))
        #expect(try world.token().status == 409)
        #expect(world.client.requests.count == 1)
        #expect(try confirm(world, "https://evil.example").status == 200)
        #expect(try world.token().json["token"] == "new")
    }

    @Test func `entering every credential again confirms, entering some does not`() throws {
        let world = try World([World.token("T")])
        try world.register()
        try change(world, ConfirmationTests.moves[0])
        #expect(try world.token().status == 409)
        let some = try reenter(world, #""key_1":"an-appid""#)
        #expect(some.json["confirmed_for"] == "https://provider.test")
        #expect(try world.token().status == 409)
        // The same values: whoever knows them may send them there.
        let all = try reenter(world, #""key_1":"an-appid","key_2":"canary-secret""#)
        #expect(all.json["confirmed_for"] == "https://evil.example")
        #expect(try world.token().json["token"] == "T")
    }

    @Test func `a URL that is changed back needs nobody`() throws {
        let world = try World([World.token("T")])
        try world.register()
        try change(world, ConfirmationTests.moves[0])
        #expect(try world.token().status == 409)
        try change(world, #""config":"# + World.recipe)
        #expect(try world.token().json["token"] == "T")
    }

    @Test func `credentials that were entered for no URL go to the first one only once it is confirmed`() throws {
        let world = try World([World.token("T")])
        try change(world, #""comment":"by hand""#)
        #expect(try reenter(world, #""key_1":"a","key_2":"b""#).status == 200)
        try change(world, #""config":"# + World.recipe)
        #expect(try world.token().status == 409)
        #expect(try confirm(world, "https://provider.test").json["confirmed"] == 1)
        #expect(try world.token().json["token"] == "T")
    }

    @Test func `what was stored before destinations were kept goes where it went, and nowhere else`() throws {
        let world = try World([World.token("T"), World.token("U")])
        try change(world, #""config":"# + World.recipe)
        let id = SecretID(realm: "wx", key: "app")
        _ = try world.store.write(id, ["key_1": .set(Redacted("a")), "key_2": .set(Redacted("b"))])
        #expect(try world.token().json["token"] == "T")
        try change(world, ConfirmationTests.moves[0])
        world.clock.advance(by: .seconds(7_300))
        #expect(try world.token().status == 409)
        #expect(world.client.requests.count == 1)
    }

    @Test func `a refresh token that the provider rotated follows no changed URL either`() throws {
        let rotating = #"""
            {"url":"https://provider.test/token","method":"POST","token_path":"access_token",
             "refresh_token_path":"refresh_token",
             "arguments":[{"name":"refresh_token","place":"body","value":"$refresh_token"}]}
            """#
        let world = try World([World.answer(200, #"{"access_token":"T","refresh_token":"R2"}"#), World.token("U")])
        try change(world, #""config":\#(rotating)"#)
        #expect(try reenter(world, #""credentials":{"refresh_token":"R1"}"#).status == 200)
        #expect(try world.token().json["token"] == "T")
        try change(world, #""config":"# + rotating.replacing("provider.test", with: "evil.example"))
        #expect(try world.token("&flush=true").json["token"] == "T")
        #expect(world.client.requests.count == 1)
    }

    @Test func `a confirmation names what is confirmed`() throws {
        let world = try World([World.token("T")])
        try world.register()
        try change(world, ConfirmationTests.moves[0])
        for other in ["https://provider.test", "https://evil.example:444", "http://evil.example", "", "evil.example"] {
            let answer = try confirm(world, other)
            #expect(answer.status == 409, "\(other)")
            #expect(answer.json["type"] == "/problems/destination-changed")
        }
        for body in [
            "{}", #"{"destination":7}"#, #"{"destination":null}"#, #"{"destination":"https://evil.example","x":1}"#,
        ] {
            #expect(try world.send(.post, "/api/realm/wx/confirm", body).status == 400, "\(body)")
        }
        #expect(try world.send(.post, "/api/realm/none/confirm", #"{"destination":"https://h"}"#).status == 404)
        #expect(try world.token().status == 409)
        #expect(try confirm(world, "https://evil.example").json["confirmed"] == 1)
        #expect(try confirm(world, "https://EVIL.example:443/any/path").json["confirmed"] == 0)
        try change(world, #""config":null"#)
        #expect(try world.send(.get, "/api/realm/wx").json["destination"] == .null)
        #expect(try confirm(world, "").status == 409)
    }
}
