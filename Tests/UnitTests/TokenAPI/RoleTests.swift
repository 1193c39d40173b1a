import HTTP
import JSON
import Testing
import TokenAPI
import Tokens

/// Who may do what: every route with every kind of caller, and scopes.
@Suite struct RoleTests {
    /// Every route of the table, with names that are stored and a body that the route takes.
    static let requests: [(endpoint: Endpoint, method: HTTP.Method, target: String)] = Endpoint.router.routes.map {
        var target = $0.pattern
        for (parameter, value) in [(":realm", "wx"), (":key", "app"), (":id", "wx")] {
            target = target.split(separator: "/").map { $0 == parameter ? value : String($0) }.joined(separator: "/")
            target = target.hasPrefix("/") ? target : "/" + target
        }
        if $0.endpoint == .token || $0.endpoint == .refreshToken { target += "?realm=wx&key=app" }
        return ($0.endpoint, $0.method, target)
    }

    /// What each route answers to a reader, an operator and an administrator, by method and pattern.
    ///
    /// The requests are such that whoever may ask gets what is asked for, where the stored realm and secret allow it.
    private static let answers: [String: (body: String?, statuses: [Int])] = [
        "GET /api/realm": (nil, [403, 200, 200]),
        "POST /api/realm": (#"{"id":"wx","comment":"c"}"#, [403, 403, 200]),
        "GET /api/realm/:id": (nil, [403, 200, 200]),
        // It has a secret.
        "DELETE /api/realm/:id": (nil, [403, 403, 409]),
        "POST /api/realm/:id/confirm": (#"{"destination":"\#(World.destination)"}"#, [403, 403, 200]),
        "GET /api/secret": (nil, [403, 200, 200]),
        "POST /api/secret": (#"{"realm":"wx","key":"new","key_1":"a"}"#, [403, 403, 200]),
        "GET /api/secret/:realm/:key": (nil, [403, 200, 200]),
        "DELETE /api/secret/:realm/:key": (nil, [403, 403, 204]),
        // The realm fetches its tokens itself.
        "PUT /api/secret/:realm/:key/token": (#"{"token":"T"}"#, [403, 403, 409]),
        "GET /api/key": (nil, [403, 403, 200]),
        "POST /api/key": (#"{"role":"reader"}"#, [403, 403, 200]),
        "GET /api/key/:id": (nil, [403, 403, 200]),
        "DELETE /api/key/:id": (nil, [403, 403, 204]),
        "GET /api/audit": (nil, [403, 200, 200]),
        "GET /api/token": (nil, [200, 200, 200]),
        "PUT /api/token": (nil, [200, 200, 200]),
        "GET /pong": (nil, [200, 200, 200]),
        "GET /healthz": (nil, [200, 200, 200]),
        "GET /readyz": (nil, [403, 200, 200]),
    ]

    @Test(arguments: Role.allCases)
    func `a role gets from every route by every method exactly what is written down`(role: Role) throws {
        let routes = Set(Endpoint.router.routes.map { "\($0.method) \($0.pattern)" })
        #expect(routes == Set(Self.answers.keys), "every route has its line")
        let place = try #require(Role.allCases.firstIndex(of: role))
        for pattern in Set(Endpoint.router.routes.map(\.pattern)) {
            for method in [HTTP.Method.get, .head, .post, .put, .delete, .patch, .options] {
                let world = try World.withKeys([World.token("T"), World.token("U")])
                try world.registerAsAdministrator("wx")
                let key = try world.makeKey(#"{"role":"\#(role.rawValue)"}"#).key
                let other = try world.makeKey(#"{"role":"reader"}"#).id
                let isKey = pattern.hasPrefix("/api/key/")
                var target = pattern
                for (parameter, value) in [(":realm", "wx"), (":key", "app"), (":id", isKey ? other : "wx")] {
                    target = target.split(separator: "/").map { $0 == parameter ? value : String($0) }
                        .joined(separator: "/")
                    target = "/" + target
                }
                if pattern == "/api/token" { target += "?realm=wx&key=app" }
                // HEAD is answered as GET is; what a path does not know is a 405 for whoever has a key.
                let answer = Self.answers["\(method == .head ? .get : method) \(pattern)"]
                let status = try world.send(method, target, answer?.body, as: key).status
                #expect(status == answer?.statuses[place] ?? 405, "\(role) \(method) \(target)")
            }
        }
    }

    @Test func `a reader has the token routes alone, and only administrators write or see keys`() throws {
        let readers = Self.requests.filter { $0.endpoint.leastRole == .reader && !$0.endpoint.isOpen }
        #expect(readers.allSatisfy { $0.target.hasPrefix("/api/token") })
        for (endpoint, method, target) in Self.requests where !target.hasPrefix("/api/token") {
            let isWrite = method != .get
            let isKey = target.hasPrefix("/api/key")
            if isWrite || isKey { #expect(endpoint.leastRole == .administrator, "\(method) \(target)") }
        }
        #expect(Endpoint.router.routes.filter(\.endpoint.isOpen).map(\.pattern).sorted() == ["/healthz", "/pong"])
    }

    @Test(arguments: Self.requests.indices)
    func `who shows no good key gets a 401 from every route that is not open`(index: Int) throws {
        let (endpoint, method, target) = Self.requests[index]
        let world = try World.withKeys()
        try world.registerAsAdministrator("wx")
        let real = try world.makeKey(#"{"role":"admin"}"#)
        let revoked = try world.makeKey(#"{"role":"admin"}"#)
        _ = try world.send(.delete, "/api/key/\(revoked.id)", as: World.key)
        let zeros = String(repeating: "0", count: 64)
        let bad = [
            "ts_\(real.id)_\(zeros)", "ts_ffffffffffffffff_\(zeros)", real.id, "ts_\(real.id)_", real.key.uppercased(),
            real.key + "0", revoked.key,
        ]
        for fields in [[]] + bad.map({ [Field(.authorization, "Bearer \($0)")] }) {
            let answer = try world.send(method, target, fields: fields)
            if endpoint.isOpen {
                #expect(answer.status == 200)
            } else {
                #expect(answer.status == 401, "\(method) \(target)")
                #expect(answer.header(.wwwAuthenticate)?.hasPrefix("Bearer") == true)
            }
        }
    }

    // MARK: Scope

    @Test func `a reader of one realm sees another as if it did not exist`() throws {
        let world = try World.withKeys([World.token("T")])
        try world.registerAsAdministrator("a", "b", "ab", "A")
        let reader = try world.makeKey(#"{"role":"reader","realms":["a"]}"#).key
        #expect(try world.send(.get, "/api/token?realm=a&key=app", as: reader).status == 200)
        for (method, more) in [(HTTP.Method.get, ""), (.get, "&flush=true"), (.put, "&now_token=x"), (.head, "")] {
            let absent = try world.send(method, "/api/token?realm=none&key=app\(more)", as: reader)
            #expect(absent.status == 404)
            for realm in ["b", "ab", "A"] {
                let other = try world.send(method, "/api/token?realm=\(realm)&key=app\(more)", as: reader)
                #expect(other.response.status == absent.response.status)
                #expect(other.response.body == absent.response.body)
                #expect(other.response.fields == absent.response.fields)
            }
        }
        // A blank is another name, whatever a database's collation thinks of it.
        #expect(try world.send(.get, "/api/token?realm=a%20&key=app", as: reader).status == 400)
    }

    @Test func `a reader of one secret sees no other of its realm`() throws {
        let world = try World.withKeys([World.token("T")])
        try world.registerAsAdministrator("a")
        let second = #"{"realm":"a","key":"App","key_1":"x","key_2":"y"}"#
        #expect(try world.send(.post, "/api/secret", second, as: World.key).status == 200)
        let reader = try world.makeKey(#"{"role":"reader","keys":["a/app"]}"#).key
        #expect(try world.send(.get, "/api/token?realm=a&key=app", as: reader).status == 200)
        let other = try world.send(.get, "/api/token?realm=a&key=App", as: reader)
        let absent = try world.send(.get, "/api/token?realm=a&key=none", as: reader)
        #expect(other.status == 404)
        #expect(other.response.body == absent.response.body)
        #expect(other.response.fields == absent.response.fields)
    }

    @Test func `an operator reads what is in its scope alone`() throws {
        let world = try World.withKeys()
        try world.registerAsAdministrator("a", "b", "c")
        let key = try world.makeKey(#"{"role":"operator","realms":["a"],"keys":["c/app"]}"#).key
        let realms = try world.send(.get, "/api/realm", as: key).json
        #expect(realms["data"]?["total"] == 2)
        #expect(realms["data"]?["list"]?.array?.compactMap { $0["id"]?.string }.sorted() == ["a", "c"])
        let secrets = try world.send(.get, "/api/secret", as: key).json
        #expect(secrets["data"]?["list"]?.array?.compactMap { $0["realm"]?.string }.sorted() == ["a", "c"])
        #expect(try world.send(.get, "/api/secret?realm=b", as: key).json["data"]?["total"] == 0)
        #expect(try world.send(.get, "/api/realm/a", as: key).status == 200)
        #expect(try world.send(.get, "/api/secret/c/app", as: key).status == 200)
        for (known, absent) in [
            ("/api/realm/b", "/api/realm/none"), ("/api/secret/b/app", "/api/secret/none/app"),
            ("/api/secret/c/other", "/api/secret/c/none"),
        ] {
            let other = try world.send(.get, known, as: key)
            #expect(other.status == 404)
            #expect(other.response.body == (try world.send(.get, absent, as: key)).response.body)
        }
    }

    @Test func `secrets are masked for every role`() throws {
        let world = try World.withKeys()
        try world.registerAsAdministrator("a")
        let key = try world.makeKey(#"{"role":"operator"}"#).key
        for target in ["/api/secret", "/api/secret/a/app", "/api/realm/a"] {
            #expect(!(try world.send(.get, target, as: key)).text.contains("canary-secret"))
        }
    }
}
