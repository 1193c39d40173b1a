internal import Clocks
internal import Crypto
internal import DatabaseDrivers
internal import HTTP
internal import JSON
internal import Log
internal import SQL
internal import Storage
internal import TestKit
internal import TokenAPI
internal import Tokens

/// What knowing the caller adds to a hit: the same request of the whole API with `AUTH=none` and with a key, in turn.
enum AuthenticationCosts {
    private static let requests = 5_000
    private static let administrator = "an administrator's key"

    /// One worker's handler, and what it asks of the database.
    private struct Server {
        let service: TokenService
        let noting: NotingConnection

        init(_ url: DatabaseURL, environment: [String: String]) throws {
            noting = NotingConnection(url.connection())
            let store = DatabaseStore(noting, sealer: Sealer(try BenchmarkKeys.keys()))
            var rates = RateLimiter.Rates()
            rates.key = RateLimiter.Rate(perSecond: 1_000_000, burst: 1_000_000)
            let limiter = RateLimiter(rates)
            service = TokenService(
                store: store, upstream: ScriptedUpstream { _ in .minted(Redacted("token"), life: .seconds(7_200)) },
                noticeClient: ScriptedClient([]), settings: try Settings(environment: { environment[$0] }),
                clock: SystemClock(), logger: Logger(level: .error), limiter: limiter)
        }

        func send(_ request: Request) throws -> Response {
            guard case .respond(let response) = service.respond(to: request, resuming: nil), response.status == .ok
            else { throw BenchmarkFailure(description: "the request is not answered") }
            return response
        }

        func makeKey(_ grant: String) throws -> String {
            let response = try send(request(.post, "/api/key", grant))
            guard let key = try JSON.Value(parsing: response.body)["key"]?.string else {
                throw BenchmarkFailure(description: "no key is made")
            }
            return key
        }

        /// Microseconds of one hit.
        func time(_ request: Request) throws -> Double {
            let clock = SystemClock()
            let start = clock.now()
            for _ in 0..<requests { _ = try send(request) }
            noting.forget()
            return start.elapsed(to: clock.now()) / .microseconds(1) / Double(requests)
        }

        func statements(_ request: Request) throws -> Int {
            noting.forget()
            _ = try send(request)
            return noting.queries.count
        }
    }

    static func row(scratch: String, _ rounds: Rounds) throws -> [String] {
        let url = try DatabaseURL(parsing: "sqlite:\(scratch)/authentication")
        let connection = url.connection()
        try MigrationRunner(connection).run(try Schema.migrations(for: connection.dialect))
        let digest = try SHA256.hexDigest(Array(administrator.utf8))
        let open = try Server(url, environment: ["AUTH": "none"])
        let keyed = try Server(url, environment: ["AUTH": "keys", "ADMIN_KEY_SHA256": digest])
        _ = try keyed.send(request(.post, "/api/realm", #"{"id":"bench","logic_code":"https://p.example/"}"#))
        _ = try keyed.send(request(.post, "/api/secret", #"{"realm":"bench","key":"app","key_1":"a"}"#))
        var ask = request(.get, "/api/token")
        ask.query = "realm=bench&key=app"
        ask.sourceAddress = "203.0.113.9"
        _ = try keyed.send(ask)
        var authorized = ask
        let grant = #"{"role":"reader","realms":["bench"],"ip":["203.0.113.0/24"]}"#
        authorized.fields[.authorization] = "Bearer " + (try keyed.makeKey(grant))
        var pair = Pair()
        for _ in 0..<rounds.count { pair.add(try keyed.time(authorized), try open.time(ask)) }
        let statements = (try keyed.statements(authorized), try open.statements(ask))
        return SecurityCosts.row("knowing the caller by an API key, for one realm and one network", statements, pair)
    }

    private static func request(_ method: HTTP.Method, _ path: String, _ body: String = "") -> Request {
        var request = Request(method, path: path, body: Array(body.utf8), id: "benchmark")
        request.fields[.authorization] = "Bearer " + administrator
        if !body.isEmpty { request.fields[.contentType] = "application/json" }
        return request
    }
}
