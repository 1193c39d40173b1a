import Clocks
import Crypto
import Foundation
import HTTP
import JSON
import Log
import Recipes
import SQL
import Storage
import TestKit
import Testing
import TokenAPI
import Tokens

/// Callers on real databases: the matrix of roles and routes, what a hit asks of the database, and what a stranger can tell.
@Suite(.serialized) struct CallerOnDatabaseTests {
    private static let administrator = "an administrator's key"

    /// A token server on a database of its own whose statements are counted.
    private final class Server {
        let counting: CountingConnection
        let service: TokenService
        private let client = ScriptedClient(
            (0..<100).map { .success(ClientResponse(.ok, body: Array(#"{"t":"token-\#($0)","e":7200}"#.utf8))) })

        init(
            _ driver: Driver, limiter: RateLimiter = RateLimiter(), clock: any Clocks.Clock = SystemClock()
        ) throws {
            counting = CountingConnection(try driver.migratedDatabase().connection())
            let digest = try SHA256.hexDigest(Array(CallerOnDatabaseTests.administrator.utf8))
            let environment = ["ADMIN_KEY_SHA256": digest, "UPSTREAM_ALLOW": "provider.test"]
            let settings = try Settings(environment: { environment[$0] })
            service = TokenService(
                store: DatabaseStore(counting), upstream: RecipeUpstream(client: client, egress: settings.egress),
                noticeClient: client, settings: settings, clock: clock, logger: Logger(level: .error, write: { _ in }),
                limiter: limiter)
        }

        func send(
            _ method: HTTP.Method, _ target: String, _ body: String = "", as key: String? = administrator
        ) throws -> Response {
            let parts = target.split(separator: "?", maxSplits: 1).map { String($0) }
            var request = Request(
                method, path: parts[0], query: parts.count > 1 ? parts[1] : "", body: Array(body.utf8), id: "1")
            request.fields[.authorization] = key.map { "Bearer \($0)" }
            if !body.isEmpty { request.fields[.contentType] = "application/json" }
            guard case .respond(let response) = service.respond(to: request, resuming: nil) else {
                throw POSIXError(.ETIMEDOUT)
            }
            return response
        }

        func register(_ realm: String) throws {
            let recipe = #"{"url":"https://provider.test/","token_path":"t","expires_in_path":"e"}"#
            try #require(try send(.post, "/api/realm", #"{"id":"\#(realm)","config":\#(recipe)}"#).status == .ok)
            let secret = #"{"realm":"\#(realm)","key":"app","key_1":"a"}"#
            try #require(try send(.post, "/api/secret", secret).status == .ok)
        }

        func makeKey(_ body: String) throws -> (key: String, id: String) {
            let json = try JSON.Value(parsing: try send(.post, "/api/key", body).body)
            return (try #require(json["key"]?.string, "\(json.text)"), try #require(json["id"]?.string))
        }

        /// The statements that one request makes.
        func statements(_ target: String, as key: String) throws -> (response: Response, texts: [String]) {
            counting.statements = []
            let response = try send(.get, target, as: key)
            return (response, counting.statements)
        }
    }

    /// What a route answers to whoever may ask, where every body is empty and what is asked for is `wx` or `app`.
    private static func answer(_ endpoint: Endpoint) -> Int {
        switch endpoint {
        case .writeRealm, .confirmRealm, .writeSecret, .placeToken, .createKey: 400
        case .readKey, .deleteKey: 404
        // It has a secret.
        case .deleteRealm: 409
        case .deleteSecret: 204
        case .listRealms, .readRealm, .listSecrets, .readSecret, .listKeys, .listAudit, .token, .refreshToken: 200
        case .pong, .health, .readiness: 200
        }
    }

    @Test(arguments: Driver.allCases)
    func `every role may do on every route what the table says`(_ driver: Driver) throws {
        let server = try Server(driver)
        for role in Role.allCases {
            let key = try server.makeKey(#"{"role":"\#(role.rawValue)"}"#).key
            for route in Endpoint.router.routes {
                try server.register("wx")
                let target =
                    "/"
                    + route.pattern.split(separator: "/").map {
                        $0 == ":key" ? "app" : $0.first == ":" ? "wx" : String($0)
                    }.joined(separator: "/")
                let query = target == "/api/token" ? "?realm=wx&key=app" : ""
                let body = route.method == .post ? "{}" : ""
                let code = try server.send(route.method, target + query, body, as: key).status.code
                let isAllowed = route.endpoint.isOpen || role >= route.endpoint.leastRole
                #expect(
                    code == (isAllowed ? Self.answer(route.endpoint) : 403),
                    "\(role) \(route.method) \(target): \(code)")
                let wrong = String(key.dropLast()) + (key.hasSuffix("0") ? "1" : "0")
                for bad in [wrong, nil] {
                    let refused = try server.send(route.method, target + query, body, as: bad).status.code
                    #expect(refused == (route.endpoint.isOpen ? 200 : 401), "\(route.method) \(target): \(refused)")
                }
            }
        }
    }

    @Test(arguments: Driver.allCases)
    func `a hit by a key is one statement, and so is every way not to get a token`(_ driver: Driver) throws {
        let server = try Server(driver)
        try server.register("a")
        try server.register("b")
        let reader = try server.makeKey(#"{"role":"reader","realms":["a"]}"#)
        _ = try server.send(.get, "/api/token?realm=a&key=app")
        let hit = try server.statements("/api/token?realm=a&key=app", as: reader.key)
        #expect(hit.response.status == .ok)
        #expect(hit.texts.count == 1)
        #expect(hit.texts.first?.contains("credentials") == false)
        let again = try server.statements("/api/token?realm=a&key=app", as: reader.key)
        #expect(again.texts == hit.texts)
        let wrong = "ts_\(reader.id)_" + String(repeating: "0", count: 64)
        let unknown = "ts_0123456789abcdef_" + String(repeating: "0", count: 64)
        for (target, key, code) in [
            ("/api/token?realm=b&key=app", reader.key, 404), ("/api/token?realm=none&key=app", reader.key, 404),
            ("/api/token?realm=a&key=none", reader.key, 404), ("/api/token?realm=a&key=app", wrong, 401),
            ("/api/token?realm=a&key=app", unknown, 401),
        ] {
            let refused = try server.statements(target, as: key)
            #expect(refused.response.status.code == code)
            #expect(refused.texts == hit.texts, "\(target)")
        }
        // What can be no key at all asks nothing of the database.
        #expect(try server.statements("/api/token?realm=a&key=app", as: "nonsense").texts == [])
    }

    @Test(arguments: Driver.allCases)
    func `bad keys cost no more statements than they may, and a good one gets in among them`(
        _ driver: Driver
    ) throws {
        var rates = RateLimiter.Rates()
        rates.refusedKey = RateLimiter.Rate(perSecond: 1, burst: 2)
        rates.refusedAddress = RateLimiter.Rate(perSecond: 1, burst: 10)
        // It stands still: nothing that is used up comes back.
        let server = try Server(driver, limiter: RateLimiter(rates), clock: ManualClock())
        try server.register("a")
        _ = try server.send(.get, "/api/token?realm=a&key=app")
        let good = try server.makeKey(#"{"role":"reader"}"#)
        let expired = try server.makeKey(#"{"role":"reader"}"#)
        _ = try server.counting.execute("UPDATE api_key SET expires_at = 1 WHERE id = \(expired.id)")
        let target = "/api/token?realm=a&key=app"
        // One bad key again and again, one that has expired, then one after another.
        var refused: [Int] = []
        server.counting.statements = []
        for key in [String](repeating: "ts_\(good.id)_" + String(repeating: "0", count: 64), count: 50)
            + [String](repeating: expired.key, count: 50)
            + (0..<50).map({ "ts_00000000000000\(10 + $0)_" + String(repeating: "0", count: 64) })
        {
            refused.append(try server.send(.get, target, as: key).status.code)
        }
        #expect(refused.filter { $0 == 401 }.count == 10)
        #expect(refused.filter { $0 == 429 }.count == 140)
        // Ten looked for a key; for what came then, the digests that are stored were read once.
        #expect(server.counting.statements.count == 11)
        #expect(server.counting.statements.last?.contains("SELECT api_key.digest FROM") == true)
        // A good key comes through; from then on it is a hit like any other.
        let first = try server.statements(target, as: good.key)
        #expect(first.response.status == .ok)
        #expect(first.texts.count == 1)
        let hit = try server.statements(target, as: good.key)
        #expect(hit.response.status == .ok)
        #expect(hit.texts.count == 1)
        #expect(try server.send(.get, target, as: expired.key).status.code == 429)
    }

    @Test func `a hit by a key meets every table by its primary key`() throws {
        let server = try Server(.mariaDB)
        try server.register("a")
        let reader = try server.makeKey(#"{"role":"reader"}"#)
        for _ in 0..<20 { _ = try server.makeKey(#"{"role":"reader"}"#) }
        _ = try server.send(.get, "/api/token?realm=a&key=app")
        let text = try #require(try server.statements("/api/token?realm=a&key=app", as: reader.key).texts.first)
        let arguments: [SQL.Value] = ["a", "app", reader.id].map { .text($0) }
        let plan = try server.counting.rows(Query(unsafeSQL: "EXPLAIN " + text, arguments: arguments))
        // The fourth column is how a table is read: by one row of a unique index, known before the statement runs.
        #expect(plan.map { $0.values[3] } == [.text("const"), .text("const"), .text("const"), .text("const")])
    }

    @Test(arguments: Driver.allCases)
    func `CVE-2026-39946 (OpenBao): what looks like SQL is a name or nothing`(_ driver: Driver) throws {
        let server = try Server(driver)
        try server.register("a")
        let reader = try server.makeKey(#"{"role":"operator","realms":["a"]}"#)
        for name in [
            "a%27%20OR%20%271%27=%271", "a%22%20OR%201=1%20--%20", "a%27;DELETE%20FROM%20realm;--", "a%5C%27",
            "a%60", "a/*", "a%23", "a%00", "%E5%5C%27", "%BF%27", "a%E2%80%99%20OR%201=1",
        ] {
            for target in ["/api/token?realm=\(name)&key=app", "/api/token?realm=a&key=\(name)"] {
                let code = try server.send(.get, target, as: reader.key).status.code
                #expect(code == 400 || code == 404, "\(target): \(code)")
            }
            for target in ["/api/realm?keyword=\(name)", "/api/secret?realm=\(name)"] {
                let found = try server.send(.get, target, as: reader.key)
                let total = try JSON.Value(parsing: found.body)["data"]?["total"]
                #expect(found.status.code == 400 || total == 0, "\(target)")
            }
            let key = "ts_\(name)_" + String(repeating: "0", count: 64)
            #expect(try server.send(.get, "/api/realm", as: key).status.code == 401)
        }
        #expect(try server.send(.get, "/api/realm/a", as: reader.key).status.code == 200)
    }

    @Test(arguments: Driver.allCases)
    func `a row that cannot be understood is nobody's business but its callers'`(_ driver: Driver) throws {
        let server = try Server(driver)
        try server.register("a")
        _ = try server.send(.get, "/api/token?realm=a&key=app")
        _ = try server.counting.execute("UPDATE token SET retry_class = 'canary'")
        let reader = try server.makeKey(#"{"role":"reader"}"#)
        let stranger = try server.makeKey(#"{"role":"reader","realms":["b"]}"#)
        let wrong = "ts_\(reader.id)_" + String(repeating: "0", count: 64)
        for (key, code) in [(reader.key, 500), (stranger.key, 404), (wrong, 401)] {
            #expect(try server.send(.get, "/api/token?realm=a&key=app", as: key).status.code == code)
        }
    }
}
