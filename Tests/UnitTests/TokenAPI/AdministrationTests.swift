import Clocks
import HTTP
import JSON
import TestKit
import Testing

/// Realms and secrets over HTTP, sentence by sentence of their contract.
@Suite struct AdministrationTests {
    // MARK: Names

    @Test(arguments: ["", ".", "..", "a b", "a/b", "é", "a\u{0}", String(repeating: "a", count: 51), "a\\\\b", "*"])
    func `a realm id that is no name is refused`(id: String) throws {
        let world = try World()
        let text = JSON.Value.object(["id": .string(id)]).text
        let answer = try world.send(.post, "/api/realm", text)
        #expect(answer.status == 400)
        #expect(answer.field == "id")
    }

    @Test func `names of every allowed character and length are taken and compared byte by byte`() throws {
        let world = try World()
        let id = "AZaz09._:@-" + String(repeating: "x", count: 39)
        #expect(try world.send(.post, "/api/realm", #"{"id":"\#(id)"}"#).status == 200)
        #expect(try world.send(.get, "/api/realm/" + PercentEncoding.encode(id)).status == 200)
        #expect(try world.send(.get, "/api/realm/" + PercentEncoding.encode(id.lowercased())).status == 404)
        let key = String(repeating: "k", count: 200)
        #expect(try world.send(.post, "/api/secret", #"{"realm":"\#(id)","key":"\#(key)"}"#).status == 200)
        #expect(try world.send(.post, "/api/secret", #"{"realm":"\#(id)","key":"\#(key)k"}"#).field == "key")
    }

    // MARK: Realms

    @Test func `a write merges: absent stays, null clears`() throws {
        let world = try World()
        let first = try world.send(
            .post, "/api/realm",
            #"{"id":"wx","config":\#(World.recipe),"comment":"中文 🙂","policy":{"class":"A"},"logic_code":"https://a.example/x"}"#
        )
        #expect(first.status == 200)
        #expect(first.json["comment"] == "中文 🙂")
        let second = try world.send(.post, "/api/realm", #"{"id":"wx","comment":"other"}"#)
        #expect(second.json["config"] == (try JSON.Value(parsing: World.recipe.utf8)))
        #expect(second.json["policy"] == ["class": "A"])
        #expect(second.json["comment"] == "other")
        let third = try world.send(
            .post, "/api/realm", #"{"id":"wx","config":null,"policy":null,"logic_code":null,"comment":null}"#)
        #expect(third.json["config"] == .null)
        #expect(third.json["policy"] == .null)
        #expect(third.json["logic_code"] == "")
        #expect(third.json["comment"] == "")
    }

    @Test(arguments: [
        (#"{"id":"x","token":"t"}"#, "token"), (#"{"id":"x","created_at":"t"}"#, "created_at"),
        (#"{"config":null}"#, "id"),
        (#"{"id":7}"#, "id"), (#"{"id":"x","config":7}"#, "config"), (#"{"id":"x","config":{}}"#, "config.url"),
        (#"{"id":"x","config":{"url":"ftp://h/"}}"#, "config.url"),
        (#"{"id":"x","config":{"url":"http://h/","token_path":"t"}}"#, "config.url"),
        (#"{"id":"x","config":{"url":"https://127.0.0.1/","token_path":"t"}}"#, "config.url"),
        (
            #"{"id":"x","config":{"url":"https://h.example/","arguments":[{"name":"a","place":"path","value":"v"}]}}"#,
            "config.arguments.0.place"
        ),
        (#"{"id":"x","config":{"url":"https://h.example/","colour":1}}"#, "config.colour"),
        (#"{"id":"x","logic_code":"not a url"}"#, "logic_code"), (#"{"id":"x","logic_code":7}"#, "logic_code"),
        (#"{"id":"x","policy":[]}"#, "policy"), (#"{"id":"x","comment":7}"#, "comment"),
        (#"{"id":"x""#, "body"), (#"[]"#, "body"), (#"{"id":"x","id":"y"}"#, "body"),
    ])
    func `a bad realm is a 400 that names the innermost field`(body: String, field: String) throws {
        let world = try World()
        let answer = try world.send(.post, "/api/realm", body)
        #expect(answer.status == 400)
        #expect(answer.field == field)
        #expect(answer.json["type"] == "/problems/bad-input")
        #expect(answer.json["request_id"] == "request-1")
        #expect(answer.header(.contentType) == "application/problem+json")
        #expect(try world.send(.get, "/api/realm").json["data"]?["total"] == 0)
    }

    @Test func `a realm with secrets cannot be deleted`() throws {
        let world = try World()
        try world.register()
        #expect(try world.send(.delete, "/api/realm/wx").status == 409)
        #expect(try world.send(.delete, "/api/secret/wx/app").status == 204)
        #expect(try world.send(.delete, "/api/realm/wx").status == 204)
        #expect(try world.send(.delete, "/api/realm/wx").status == 404)
        #expect(try world.send(.get, "/api/realm/wx").status == 404)
    }

    // MARK: Lists

    @Test func `lists come last updated first, in pages`() throws {
        let world = try World()
        for id in ["a", "b", "c"] {
            _ = try world.send(.post, "/api/realm", #"{"id":"\#(id)"}"#)
            world.clock.advance(by: .seconds(1))
        }
        _ = try world.send(.post, "/api/realm", #"{"id":"a","comment":"x"}"#)
        func ids(_ query: String) throws -> [String] {
            let data = try world.send(.get, "/api/realm" + query).json["data"]
            return (data?["list"]?.array ?? []).compactMap { $0["id"]?.string }
        }
        #expect(try ids("") == ["a", "c", "b"])
        #expect(try ids("?pageSize=2") == ["a", "c"])
        #expect(try ids("?page=2&pageSize=2") == ["b"])
        #expect(try ids("?page=3&pageSize=2") == [])
        #expect(try ids("?pageSize=101") == ["a", "c", "b"])
        let list = try world.send(.get, "/api/realm?page=9").json
        #expect(list["data"]?["total"] == 3)
        #expect(list["success"] == "ok")
    }

    @Test(arguments: [
        "page=0", "page=-1", "page=a", "page=1.5", "page=+1", "page=", "pageSize=0", "pageSize=x", "page=1&page=2",
    ])
    func `anything else as a page is refused by name`(query: String) throws {
        let world = try World()
        for path in ["/api/realm", "/api/secret"] {
            let answer = try world.send(.get, "\(path)?\(query)")
            #expect(answer.status == 400)
            #expect(answer.field == String(query.prefix { $0 != "=" }))
        }
    }

    @Test func `a keyword is found in id and comment, its wildcards as they are`() throws {
        let world = try World()
        _ = try world.send(.post, "/api/realm", #"{"id":"alpha","comment":"100% sure"}"#)
        _ = try world.send(.post, "/api/realm", #"{"id":"a_b","comment":"中文"}"#)
        func total(_ keyword: String) throws -> JSON.Value? {
            try world.send(.get, "/api/realm?keyword=" + PercentEncoding.encode(keyword)).json["data"]?["total"]
        }
        #expect(try total("lph") == 1)
        #expect(try total("%") == 1)
        #expect(try total("_") == 1)
        #expect(try total("中") == 1)
        #expect(try total("a") == 2)
        #expect(try total("zzz") == 0)
    }

    // MARK: Secrets

    @Test func `credentials are masked, and never come back`() throws {
        let world = try World()
        _ = try world.send(.post, "/api/realm", #"{"id":"wx"}"#)
        let stored = try world.send(
            .post, "/api/secret",
            #"{"realm":"wx","key":"k","key_1":"canary-1","key_3":"canary-3","credentials":{"pem":"canary-4"}}"#)
        #expect(stored.status == 200)
        #expect(stored.json["key_1"] == "******")
        #expect(stored.json["key_2"] == nil)
        #expect(stored.json["key_3"] == "******")
        #expect(stored.json["credentials"] == ["pem": "******"])
        for answer in [stored, try world.send(.get, "/api/secret/wx/k"), try world.send(.get, "/api/secret?realm=wx")] {
            #expect(!answer.text.contains("canary"))
        }
        #expect(!world.log.contains("canary"))
    }

    @Test func `a write of a secret merges, and null or an empty text clears`() throws {
        let world = try World()
        _ = try world.send(.post, "/api/realm", #"{"id":"wx"}"#)
        _ = try world.send(.post, "/api/secret", #"{"realm":"wx","key":"k","key_1":"a","key_2":"b","key_3":"c"}"#)
        let merged = try world.send(
            .post, "/api/secret", #"{"realm":"wx","key":"k","key_2":null,"key_3":"","key_4":"d"}"#
        ).json
        #expect(merged["key_1"] == "******")
        #expect(merged["key_2"] == nil)
        #expect(merged["key_3"] == nil)
        #expect(merged["key_4"] == "******")
    }

    @Test(arguments: [
        (#"{"realm":"wx","key":"k","key_1":"******"}"#, 400, "key_1"),
        (#"{"realm":"wx","key":"k","credentials":{"a":"******"}}"#, 400, "credentials.a"),
        (#"{"realm":"wx","key":"k","token":"t"}"#, 400, "token"),
        (#"{"realm":"wx","key":"k","expires_at":1}"#, 400, "expires_at"),
        (#"{"realm":"wx","key":"k","key_6":"t"}"#, 400, "key_6"),
        (#"{"realm":"wx","key":"k","key_1":1}"#, 400, "key_1"),
        (#"{"realm":"wx","key":"k","credentials":[]}"#, 400, "credentials"),
        (#"{"realm":"wx","key":"k","credentials":{"a b":"v"}}"#, 400, "credentials"),
        (#"{"realm":"wx","key":"k","key_1":"a","credentials":{"key_1":"b"}}"#, 400, "credentials.key_1"),
        (#"{"realm":"wx"}"#, 400, "key"), (#"{"realm":"none","key":"k"}"#, 404, "realm"),
    ])
    func `a bad secret is refused by name`(body: String, status: Int, field: String) throws {
        let world = try World()
        _ = try world.send(.post, "/api/realm", #"{"id":"wx"}"#)
        let answer = try world.send(.post, "/api/secret", body)
        #expect(answer.status == status)
        #expect(answer.field == field)
        #expect(try world.send(.get, "/api/secret").json["data"]?["total"] == 0)
    }

    @Test func `a mask of another length is a value like any other`() throws {
        let world = try World()
        _ = try world.send(.post, "/api/realm", #"{"id":"wx"}"#)
        #expect(
            try world.send(.post, "/api/secret", #"{"realm":"wx","key":"k","key_1":"******************"}"#).status
                == 200)
    }

    @Test(arguments: [
        ("GET", "/api/realm?keyword=%00", nil, "keyword"),
        ("POST", "/api/realm", #"{"id":"x","comment":"a\u0000b"}"#, "comment"),
        (
            "POST", "/api/realm", #"{"id":"x","config":{"url":"https://h.example/","token_path":"a\u0000"}}"#,
            "config.token_path"
        ),
        ("GET", "/api/token?realm=wx&key=a%00", nil, "key"),
    ])
    func `a NUL is refused by name: a database may take it for the end`(
        method: String, target: String, body: String?, field: String
    ) throws {
        let answer = try World().send(HTTP.Method(rawValue: method), target, body)
        #expect(answer.status == 400)
        #expect(answer.field == field)
    }

    @Test func `a secret of a realm that is not there says so`() throws {
        let answer = try World().send(.get, "/api/secret/none/app")
        #expect(answer.status == 404)
        #expect(answer.json["type"] == "/problems/realm-not-found")
    }
}
