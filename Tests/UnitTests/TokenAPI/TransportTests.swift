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
        "/api/realm/%zz", "/api/./realm", "//api/realm", "/api//realm", "/api/realm//", "//", "/api/realm/%2E",
        "/api/realm/.",
        "/api/realm/%2e./x", "/api/secret/wx/%2F", "/api/secret/wx/%5c", "/api/secret/wx/a%5C..%5Cb", "/api/realm/a%00",
        "/api/realm/%c0%ae%c0%ae", "/api/realm/%E0%80%AF", "/api/realm/%F0%80%80%AF", "/api/realm/%ED%A0%80",
        "/api/realm/%FF", "/api/realm/%", "/api/realm/%2", "/api/realm/%u002e", "api/realm", "", "*",
        "/api/realm/%F4%90%80%80",
    ])
    func `a path that plays tricks is a 400`(path: String) throws {
        #expect(try World().send(.get, path).status == 400)
    }

    @Test func `who is named as host or forwarded for changes nothing`() throws {
        let world = try World(environment: ["ADMIN_KEY_SHA256": World.digest])
        let key = Field(.authorization, "Bearer \(World.key)")
        let plain = try world.send(.get, "/api/realm", fields: [key])
        let forged = [
            "Host": "127.0.0.1", "X-Forwarded-Host": "localhost", "X-Forwarded-Uri": "/pong",
            "X-Forwarded-Prefix": "/pong",
            "X-Forwarded-Method": "DELETE", "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1",
            "X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz", "X-HTTP-Method-Override": "DELETE",
            "X-Forwarded-User": "admin", "X_Forwarded_User": "admin", "X-Auth-Request-User": "admin",
            "Forwarded": "for=127.0.0.1;host=localhost;proto=https", "User-Agent": "ELB-HealthChecker/2.0",
            "X-FC-Control-Path": "/initialize",
        ]
        for (name, value) in forged {
            let field = Field(try #require(Field.Name(name)), value)
            #expect(try world.send(.get, "/api/realm", fields: [field]).status == 401, "\(name)")
            let same = try world.send(.get, "/api/realm", fields: [key, field])
            #expect(same.status == 200 && same.text == plain.text, "\(name)")
            #expect(try world.send(.get, "/nothing", fields: [key, field]).status == 404, "\(name)")
        }
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
        "AWS_SESSION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "ALIBABA_CLOUD_SECURITY_TOKEN",
    ])
    func `AUTH=none is refused where a cloud has given the function credentials`(sign: String) throws {
        for (text, isRefused) in [("canary", true), ("", false)] {
            let environment = ["AUTH": "none", sign: text]
            guard isRefused else {
                let settings = try Settings(environment: { environment[$0] })
                guard case .none = settings.authorization else { throw World.Unanswered() }
                continue
            }
            let failure = #expect(throws: Settings.Failure.self) {
                _ = try Settings(environment: { environment[$0] })
            }
            #expect(failure?.variable == "AUTH")
            #expect(failure?.message == "none is refused in a cloud, which \(sign) shows this to be: set keys")
        }
        // With keys, or nothing said, a cloud is where it belongs.
        for auth in ["keys", "", nil] {
            let environment = ["AUTH": auth, sign: "x"]
            let settings = try Settings(environment: { environment[$0] ?? nil })
            guard case .keys = settings.authorization else { throw World.Unanswered() }
        }
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
