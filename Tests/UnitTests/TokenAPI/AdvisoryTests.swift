import Crypto
import HTTP
import JSON
import Testing
import TokenAPI
import Tokens

/// What hit other systems of this kind, each by the name of its advisory: who may ask, for what, by which path and field.
@Suite struct AdvisoryTests {
    private static let protected = ["/api/secret", "/api/realm", "/api/key", "/api/token?realm=a&key=app", "/readyz"]

    private static func field(_ name: String, _ value: String) throws -> Field {
        Field(try #require(Field.Name(name)), value)
    }

    // MARK: Fields

    @Test
    func `CVE-2026-40575, GHSA-7x63-xv5r-3p2x (oauth2-proxy): fields about another URI or method change nothing`()
        throws
    {
        let world = try World.withKeys()
        try world.registerAsAdministrator("a")
        let reader = try world.makeKey(#"{"role":"reader","realms":["b"]}"#).key
        for (name, value) in [
            ("x-forwarded-uri", "/healthz"), ("x-original-url", "/healthz"), ("x-rewrite-url", "/pong"),
            ("x-forwarded-host", "localhost"), ("x-forwarded-prefix", "/healthz"), ("x-forwarded-method", "GET"),
            ("x-http-method-override", "GET"), ("x-forwarded-proto", "https"), ("x-forwarded-user", "bootstrap"),
        ] {
            let forged = try Self.field(name, value)
            for target in Self.protected {
                #expect(try world.send(.get, target, fields: [forged]).status == 401)
                let plain = try world.send(.get, target, as: reader)
                let tricked = try world.send(.get, target, as: reader, fields: [forged])
                #expect(tricked.status == plain.status)
                #expect(tricked.response.body == plain.response.body)
            }
            #expect(try world.send(.delete, "/api/realm/a", as: reader, fields: [forged]).status == 403)
        }
    }

    @Test func `GHSA-5hvv-m4w4-gf6v (oauth2-proxy): no user agent is a health check's`() throws {
        let world = try World.withKeys()
        for agent in [
            "GoogleHC/1.0", "ELB-HealthChecker/2.0", "kube-probe/1.30", "Amazon-Route53-Health-Check-Service", "",
        ] {
            for target in Self.protected {
                #expect(try world.send(.get, target, fields: [Field(.userAgent, agent)]).status == 401)
            }
        }
    }

    @Test func `CVE-2025-64484, GHSA-vjrc-mh2v-45x6 (oauth2-proxy): no spelling of another field says who asks`() throws
    {
        let world = try World.withKeys()
        let value = "Bearer \(World.key)"
        for name in [
            "x_forwarded_user", "X-Forwarded-User", "x-forwarded-email", "x-auth-request-user", "x-remote-user",
            "x-api-key",
            "proxy-authorization", "x-authorization", "authorization_", "x_authorization", "x-forwarded-authorization",
            "cookie",
        ] {
            #expect(try world.send(.get, "/api/realm", fields: [try Self.field(name, value)]).status == 401)
        }
        // Which of two counts should not have to be guessed.
        let good = Field(.authorization, value)
        let bad = Field(.authorization, "Bearer x")
        for fields in [[good, good], [good, bad], [bad, good], [good, try Self.field("AUTHORIZATION", "x")]] {
            #expect(try world.send(.get, "/api/realm", fields: fields).status == 401)
        }
        #expect(try world.send(.get, "/api/realm", fields: [try Self.field("AUTHORIZATION", value)]).status == 200)
    }

    @Test func `CVE-2026-48710 (Starlette): a forged Host changes nothing`() throws {
        let world = try World.withKeys()
        try world.registerAsAdministrator("a")
        let plain = try world.send(.get, "/api/realm/a", as: World.key)
        for host in ["localhost", "127.0.0.1", "x/healthz?", "x/../pong", "@evil.example", ""] {
            let forged = [Field(.host, host)]
            #expect(
                try world.send(.get, "/api/realm/a", as: World.key, fields: forged).response.body == plain.response.body
            )
            #expect(try world.send(.get, "/api/realm/a", fields: forged).status == 401)
        }
    }

    // MARK: Paths

    @Test func `GHSA-7rh7-c77v-6434, GHSA-pxq7-h93f-9jrg (oauth2-proxy): nothing after the path opens it`() throws {
        let world = try World.withKeys()
        for target in Self.protected.map({ $0.split(separator: "?")[0] }) {
            for more in [
                "?x=/healthz", "#/healthz", "%23/healthz", ";/healthz", "?/pong", "%3F/pong", ";x=/pong", "/healthz",
                "/",
                "//healthz", "/../healthz", "/..%2fhealthz", "%2f..%2fhealthz", "/%2e%2e/healthz", "\\..\\healthz",
            ] {
                #expect(try world.send(.get, target + more).status == 401, "\(target)\(more)")
            }
        }
    }

    @Test func `CVE-2026-3605 (OpenBao): a path that plays tricks reaches nothing that its key does not`() throws {
        let world = try World.withKeys()
        try world.registerAsAdministrator("a", "b")
        let operatorKey = try world.makeKey(#"{"role":"operator","realms":["a"]}"#).key
        for path in [
            "/api/realm/./b", "/api/realm/a/../b", "/api/realm/%2e%2e/key", "/api/realm/a%2f..%2fb", "/api/realm/a%2Fb",
            "/api/realm/b%00", "/api/realm/%00b", "/api/realm/%c0%af", "/api/realm/%c1%a2", "/api/realm/%e0%80%af",
            "/api/realm/b%5c", "/api/realm/%ff", "/api/realm/%", "/api/realm/%6", "/api/secret/a/..%2f..%2fb/app",
            "/api/secret/a%2fapp/x", "//api/realm/b", "/api//realm/b", "/api/realm//b",
        ] {
            #expect(try world.send(.get, path, as: operatorKey).status == 400, "\(path)")
        }
        for path in ["/API/realm/b", "/api/realm/a/b/c"] {
            #expect(try world.send(.get, path, as: operatorKey).status == 404, "\(path)")
        }
        // The same name in another spelling of the path is the same name: in scope or not.
        #expect(try world.send(.get, "/api/realm/%61", as: operatorKey).status == 200)
        #expect(try world.send(.get, "/api/realm/%62", as: operatorKey).status == 404)
    }

    // MARK: Names and scopes

    @Test func `GHSA-c5c4-8r6x-56w3 (oauth2-proxy): a name with several @ is compared whole`() throws {
        let world = try World.withKeys([World.token("T")])
        try world.registerAsAdministrator("a@b", "a@b@c", "b@c", "a")
        let reader = try world.makeKey(#"{"role":"reader","realms":["a@b"]}"#).key
        #expect(try world.send(.get, "/api/token?realm=a@b&key=app", as: reader).status == 200)
        for realm in ["a@b@c", "b@c", "a", "a@", "@b"] {
            #expect(try world.send(.get, "/api/token?realm=\(realm)&key=app", as: reader).status == 404)
        }
    }

    @Test func `inkeep/agents#2785: a realm is not another that its name begins, or looks like`() throws {
        let world = try World.withKeys([World.token("T")])
        try world.registerAsAdministrator("K", "Ka", "k", "aK")
        let reader = try world.makeKey(#"{"role":"reader","realms":["K"]}"#).key
        #expect(try world.send(.get, "/api/token?realm=K&key=app", as: reader).status == 200)
        for realm in ["Ka", "k", "aK"] {
            #expect(try world.send(.get, "/api/token?realm=\(realm)&key=app", as: reader).status == 404)
        }
        // A blank, a full-width letter, and the Kelvin sign, which Unicode holds for a K.
        for realm in ["K%20", "%20K", "%EF%BC%AB", "%E2%84%AA", "K%CC%81"] {
            #expect(try world.send(.get, "/api/token?realm=\(realm)&key=app", as: reader).status == 400)
        }
    }

    @Test
    func
        `CVE-2025-5999, CVE-2025-54996, CVE-2025-64761 (OpenBao): no other spelling of a role or name is taken for it`()
        throws
    {
        let world = try World.withKeys()
        for role in ["Admin", "ADMIN", " admin", "admin ", "root", "administrator", "\u{FF41}dmin", "admin\u{0}", ""] {
            let body = JSON.Value.object(["role": .string(role)]).text
            #expect(try world.send(.post, "/api/key", body, as: World.key).field == "role")
        }
        for realm in [" a", "a ", "a\u{301}", "\u{FF41}", "a/b", "..", "a\n", "a\u{200B}"] {
            for body: JSON.Value in [
                .object(["role": "reader", "realms": [.string(realm)]]),
                .object(["role": "reader", "keys": [.string(realm + "/k")]]),
            ] {
                #expect(try world.send(.post, "/api/key", body.text, as: World.key).status == 400, "\(body.text)")
            }
            let body = JSON.Value.object(["id": .string(realm)]).text
            #expect(try world.send(.post, "/api/realm", body, as: World.key).field == "id")
        }
    }

    @Test func `GHSA-59w7-v8rr-pr4p (OpenBao): a scope is no pattern`() throws {
        let world = try World.withKeys()
        for name in ["*", "+", "a*", "%", "_%", "a?", "[ab]", "{{identity.entity.id}}", "${a}", ".*", "^a$"] {
            for body: JSON.Value in [
                .object(["role": "reader", "realms": [.string(name)]]),
                .object(["role": "reader", "keys": [.string("a/" + name)]]),
            ] where !(name == ".*") || body["keys"] == nil {
                #expect(try world.send(.post, "/api/key", body.text, as: World.key).status == 400, "\(body.text)")
            }
        }
        // What has a meaning to databases or regular expressions and may be in a name means itself.
        try world.registerAsAdministrator("a.b", "axb", "a_b")
        for (realm, others) in [("a.b", ["axb", "a_b"]), ("a_b", ["a.b", "axb"])] {
            let key = try world.makeKey(#"{"role":"operator","realms":["\#(realm)"]}"#).key
            let list = try world.send(.get, "/api/realm", as: key).json["data"]?["list"]?.array
            #expect(list?.compactMap { $0["id"]?.string } == [realm])
            for other in others { #expect(try world.send(.get, "/api/realm/\(other)", as: key).status == 404) }
        }
    }

    @Test
    func `GHSA-mwr2-wmgp-crj6, CVE-2026-45808, CVE-2026-40264, GHSA-c36x-h252-g9x2: a stranger's is as what is not`()
        throws
    {
        let world = try World.withKeys()
        try world.registerAsAdministrator("a", "b")
        for role in [Role.reader, .operator] {
            let key = try world.makeKey(#"{"role":"\#(role.rawValue)","realms":["a"]}"#).key
            for route in Endpoint.router.routes where route.endpoint.leastRole <= role && !route.endpoint.isOpen {
                func target(_ realm: String) -> String {
                    let path = route.pattern.split(separator: "/").map {
                        $0 == ":key" ? "app" : $0.first == ":" ? realm : String($0)
                    }
                    let isToken = route.endpoint == .token || route.endpoint == .refreshToken
                    return "/" + path.joined(separator: "/") + (isToken ? "?realm=\(realm)&key=app" : "?realm=\(realm)")
                }
                // Same length, so that nothing but existence differs.
                let strangers = try world.send(route.method, target("b"), as: key)
                let absent = try world.send(route.method, target("c"), as: key)
                #expect(strangers.response.status == absent.response.status)
                #expect(strangers.response.body == absent.response.body, "\(route.method) \(target("b"))")
                #expect(strangers.response.fields == absent.response.fields)
                if route.pattern.contains(":") || route.pattern == "/api/token" { #expect(strangers.status == 404) }
            }
        }
    }

    @Test func `GHSA-xp3c-3jw3-4vcr (OpenBao): a list is covered as what it lists`() throws {
        let world = try World.withKeys()
        try world.registerAsAdministrator("a", "b")
        let reader = try world.makeKey(#"{"role":"reader","realms":["a"]}"#).key
        let operatorKey = try world.makeKey(#"{"role":"operator","realms":["a"]}"#).key
        var listed: Set<Endpoint> = []
        for route in Endpoint.router.routes where route.method == .get && route.pattern.hasPrefix("/api/") {
            if route.pattern.contains(":") || route.endpoint == .token { continue }
            let isOperators = route.endpoint.leastRole == .operator
            func names(_ query: String, as key: String) throws -> [String] {
                let answer = try world.send(.get, route.pattern + query, as: key)
                let data = try #require(answer.json["data"], "\(route.pattern)\(query): \(answer.text)")
                let list = try #require(data["list"]?.array)
                #expect(data["total"] == JSON.Value(Int64(list.count)))
                return list.map { ($0["realm"] ?? $0["id"])?.string ?? "-" }
            }
            for query in ["", "?realm=b", "?keyword=b", "?page=1&pageSize=100"] {
                let path = route.pattern + query
                for method in [HTTP.Method.get, .head] {
                    #expect(try world.send(method, path, as: reader).status == 403)
                    #expect(try world.send(method, path, as: operatorKey).status == (isOperators ? 200 : 403))
                }
                if isOperators { #expect(Set(try names(query, as: operatorKey)).isSubset(of: ["a"]), "\(path)") }
            }
            guard isOperators else { continue }
            // There is something to see, and something to hide.
            let all = try names("", as: World.key)
            #expect(all.contains("b"))
            let visible = all.filter { $0 == "a" }
            #expect(!visible.isEmpty)
            #expect(try names("", as: operatorKey) == visible)
            listed.insert(route.endpoint)
        }
        #expect(listed == [.listRealms, .listSecrets, .listAudit])
    }

    @Test
    func `CVE-2026-5807, CVE-2025-4656, CVE-2025-52894 (Vault, OpenBao): what deals with keys is an administrator's`()
        throws
    {
        for route in Endpoint.router.routes where route.pattern.hasPrefix("/api/key") {
            #expect(route.endpoint.leastRole == .administrator)
        }
        let world = try World.withKeys()
        // Nobody makes a key that may more than its maker, because only who may everything makes one.
        for role in ["reader", "operator"] {
            let key = try world.makeKey(#"{"role":"\#(role)"}"#).key
            #expect(try world.send(.post, "/api/key", #"{"role":"admin"}"#, as: key).status == 403)
        }
        // No route begins, changes or ends with a master key: that is the environment's, and a program's beside the function.
        for route in Endpoint.router.routes {
            for word in ["master", "seal", "rekey", "init", "generate-root"] { #expect(!route.pattern.contains(word)) }
        }
        // Guesses at them are counted like all others.
        let limited = try World.withKeys(limiter: RateLimiter(refusedAddress: (1, 3)))
        let guesses = try (0..<5).map { guess in
            let key = "ts_0123456789abcdef_" + String(repeating: "\(guess)", count: 64)
            return try limited.send(.post, "/api/key", #"{"role":"admin"}"#, as: key, from: "203.0.113.9").status
        }
        #expect(guesses == [401, 401, 401, 429, 429])
    }

    // MARK: Keys

    @Test func `CVE-2025-6004, CVE-2025-54998 (OpenBao): no spelling of a key begins a new count`() throws {
        let limiter = RateLimiter(key: (1, 9), refusedAddress: (1, 4))
        let world = try World.withKeys(limiter: limiter)
        let made = try world.makeKey(#"{"role":"operator"}"#)
        let wrong = "ts_\(made.id)_" + String(repeating: "a", count: 64)
        let spellings = [
            wrong, wrong.uppercased(), " " + wrong + " ", "ts_" + made.id.uppercased() + wrong.dropFirst(19), wrong,
            wrong,
        ]
        let statuses = try spellings.map { try world.send(.get, "/api/realm", as: $0, from: "203.0.113.9").status }
        #expect(statuses == [401, 401, 401, 401, 429, 429])
    }

    @Test func `GHSA-34fc-gh42-pj53: secrets are compared over their whole length`() {
        let secret = [UInt8](0..<32)
        #expect(ConstantTime.areEqual(secret, [UInt8](0..<32)))
        for index in secret.indices {
            for bit in 0..<8 {
                var other = secret
                other[index] ^= 1 << bit
                #expect(!ConstantTime.areEqual(secret, other))
            }
        }
        #expect(!ConstantTime.areEqual(secret, Array(secret.dropLast())))
        #expect(!ConstantTime.areEqual([], secret))
    }

    // MARK: Bodies

    @Test func `CVE-2025-4166, CVE-2025-52893 (Vault, OpenBao): a body that is refused is not repeated`() throws {
        let world = try World.withKeys()
        try world.registerAsAdministrator("a")
        for (path, body) in [
            ("/api/secret", #"{"realm":"a","key":"app","key_1":"CANARY""#),
            ("/api/secret", #"{"realm":"a","key":"app","key_1":"CANARY","key_1":"x"}"#),
            ("/api/secret", #"{"realm":"a","key":"app","credentials":{"CANARY!":"x"}}"#),
            ("/api/secret", #"{"realm":"a","key":"app","credentials":"CANARY"}"#),
            ("/api/secret", #"{"realm":"a","key":"app","key_1":["CANARY"]}"#), ("/api/secret", "CANARY"),
            ("/api/secret", #"{"realm":"a","key":"app","CANARY-0123456789abcdef":"key_1"}"#),
            ("/api/secret", #"{"realm":"a","key":"app","CANARYabcdefghijklmnopqrstuvwxyz":"key_1"}"#),
            ("/api/secret?CANARY012=1&CANARY012=1", "{}"), ("/api/realm", #"{"id":"a","CANARY012":1}"#),
            ("/api/key", #"{"role":"CANARY"}"#), ("/api/key", #"{"role":"reader","ip":["CANARY"]}"#),
            ("/api/key", #"{"role":"reader","expires_at":"CANARY"}"#),
            ("/api/key", #"{"role":"reader","realms":["CANARY!"]}"#),
        ] {
            let answer = try world.send(.post, path, body, as: World.key)
            #expect(answer.status == 400, "\(body)")
            #expect(!answer.text.contains("CANARY"), "\(answer.text)")
        }
        for key in ["CANARY", "ts_CANARY_CANARY"] {
            #expect(!(try world.send(.get, "/api/realm", as: key)).text.contains("CANARY"))
        }
        #expect(!world.log.contains("CANARY"))
    }
}
