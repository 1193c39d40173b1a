import HTTP
import JSON
import Testing
import TokenAPI

/// What holds for every route: paths, methods, bodies, keys.
@Suite struct TransportTests {
    @Test func `unknown routes and methods say so`() throws {
        let world = try World()
        #expect(try world.send(.get, "/nothing").status == 404)
        #expect(try world.send(.get, "/").status == 404)
        #expect(try world.send(.get, "/initialize").status == 404)
        let refused = try world.send(.delete, "/api/token")
        #expect(refused.status == 405)
        #expect(refused.header(.allow)?.contains("GET") == true)
        #expect(refused.header(.allow)?.contains("PUT") == true)
    }

    @Test(arguments: [
        "/api/realm/..", "/api/realm/%2e%2e", "/api/realm/a%2Fb", "/api/realm/%00", "/api/realm/%C0%AF",
        "/api/realm/%zz", "/api/./realm",
    ])
    func `a path that plays tricks is a 400`(path: String) throws {
        #expect(try World().send(.get, path).status == 400)
    }

    @Test func `a body must be JSON and of a bearable size`() throws {
        let world = try World()
        let form = [Field(.contentType, "application/x-www-form-urlencoded")]
        #expect(try world.send(.post, "/api/realm", "id=x", fields: form).status == 415)
        let charset = [Field(.contentType, "Application/JSON; charset=utf-8")]
        #expect(try world.send(.post, "/api/realm", #"{"id":"x"}"#, fields: charset).status == 200)
        let large = #"{"id":"x","comment":"\#(String(repeating: "a", count: 1 << 20))"}"#
        #expect(try world.send(.post, "/api/realm", large).status == 413)
        let deep = #"{"id":"x","policy":"# + String(repeating: "[", count: 10_000)
        #expect(try world.send(.post, "/api/realm", deep).status == 400)
    }

    @Test func `health is open, readiness tells what is wrong`() throws {
        let world = try World()
        #expect(try world.send(.get, "/pong").json == ["err_code": 0])
        #expect(try world.send(.get, "/healthz").json == ["status": "ok"])
        let ready = try world.send(.get, "/readyz").json
        #expect(ready["status"] == "ok")
        #expect(ready["checks"]?.object?.names == ["database", "schema", "keys", "clock"])
    }

    // MARK: Keys

    private let guarded: [(HTTP.Method, String)] = [
        (.get, "/api/realm"), (.post, "/api/realm"), (.get, "/api/realm/x"), (.delete, "/api/realm/x"),
        (.get, "/api/secret"),
        (.post, "/api/secret"), (.get, "/api/secret/a/b"), (.delete, "/api/secret/a/b"), (.get, "/api/token"),
        (.put, "/api/token"), (.get, "/readyz"), (.get, "/nothing"), (.get, "/api/secret?x=/healthz"),
        (.get, "//healthz"),
        (.get, "/healthz/"), (.post, "/healthz"), (.get, "/%68ealthz/x"),
    ]

    @Test func `without a key everything but pong and healthz is a 401`() throws {
        for environment in [[:], ["AUTH": "keys"], ["ADMIN_KEY_SHA256": World.digest]] {
            let world = try World(environment: environment)
            for (method, target) in guarded {
                let answer = try world.send(method, target)
                #expect(answer.status == 401, "\(method) \(target)")
                #expect(answer.header(.wwwAuthenticate)?.hasPrefix("Bearer") == true)
            }
            #expect(try world.send(.get, "/pong").status == 200)
            #expect(try world.send(.get, "/healthz").status == 200)
        }
    }

    @Test func `the administrator's key opens everything, no other opens anything`() throws {
        let world = try World(environment: ["ADMIN_KEY_SHA256": World.digest])
        for value in ["Bearer \(World.key)", "bearer \(World.key)"] {
            #expect(try world.send(.get, "/api/realm", fields: [Field(.authorization, value)]).status == 200)
        }
        for value in ["Bearer wrong", "Basic \(World.key)", World.key, "Bearer", "Bearer \(World.digest)"] {
            #expect(try world.send(.get, "/api/realm", fields: [Field(.authorization, value)]).status == 401)
        }
        let twice = [Field(.authorization, "Bearer \(World.key)"), Field(.authorization, "Bearer \(World.key)")]
        #expect(try world.send(.get, "/api/realm", fields: twice).status == 401)
    }

    @Test func `where no digest is set no key opens anything`() throws {
        let world = try World(environment: ["AUTH": "keys"])
        #expect(
            try world.send(.get, "/api/realm", fields: [Field(.authorization, "Bearer \(World.key)")]).status == 401)
    }

    @Test(arguments: [
        ("LOG_LEVEL", "loud"), ("AUTH", "canary"), ("ADMIN_KEY_SHA256", "canary"), ("ADMIN_KEY_SHA256", "abc"),
        ("UPSTREAM_ALLOW", "a b"),
    ])
    func `a bad setting names its variable`(name: String, value: String) throws {
        let failure = #expect(throws: Settings.Failure.self) {
            _ = try Settings(environment: { $0 == name ? value : nil })
        }
        #expect(failure?.variable == name)
        #expect(failure?.message.contains("canary") == false)
    }
}
