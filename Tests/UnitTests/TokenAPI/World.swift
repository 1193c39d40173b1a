import Clocks
import HTTP
import JSON
import Log
import Recipes
import Synchronization
import TestKit
import Testing
import TokenAPI
import Tokens

/// One token server on a store in memory, with a clock that stands still and a provider that answers from a list.
final class World {
    let clock = ManualClock()
    let store: InMemoryStore
    let client: ScriptedClient
    let service: TokenService
    private let logged = Lines()

    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        var text: String { lines.withLock { $0.joined() } }
        func append(_ bytes: [UInt8]) { lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } }
    }

    static let key = "an administrator's key"
    /// What `printf %s KEY` and `sha256sum` give.
    static let digest = "5863896bb3c6ec5d082ab0de5e1dfeaa5bfa11805a7f25d5a0410ddaa4c0614c"

    init(
        _ answers: [ScriptedClient.Answer] = [], environment: [String: String] = ["AUTH": "none"],
        limiter: RateLimiter = RateLimiter()
    ) throws {
        store = InMemoryStore(clock: clock)
        client = ScriptedClient(answers)
        var environment = environment
        environment["UPSTREAM_ALLOW"] = "provider.test"
        let settings = try Settings(environment: { environment[$0] })
        let logged = logged
        service = TokenService(
            store: store, upstream: RecipeUpstream(client: client, egress: settings.egress),
            noticeClient: client, settings: settings,
            clock: clock, logger: Logger(level: .debug, write: { logged.append($0) }), limiter: limiter)
    }

    /// Everything that was logged and noted for the log.
    var log: String { logged.text }

    // MARK: Requests

    struct Answer {
        let response: Response

        var status: Int { response.status.code }
        var text: String { String(decoding: response.body, as: UTF8.self) }
        var json: JSON.Value { (try? JSON.Value(parsing: response.body)) ?? .null }
        var field: String? { json["field"]?.string }
        func header(_ name: Field.Name) -> String? { response.fields[name] }
    }

    /// Sends a request, and again after every wait, moving the clock; a wait that lasts longer than a minute is an error.
    func send(
        _ method: HTTP.Method, _ target: String, _ body: String? = nil, fields: [Field] = [],
        from address: String? = nil,
        deadline: Duration? = .seconds(10)
    ) throws -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var request = Request(
            method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "", fields: Fields(fields),
            body: Array((body ?? "").utf8), id: "request-1", sourceAddress: address,
            deadline: deadline.map { clock.now() + $0 })
        if body != nil, request.fields[.contentType] == nil { request.fields[.contentType] = "application/json" }
        var state: (any Sendable)?
        for _ in 0..<600 {
            switch service.respond(to: request, resuming: state) {
            case .respond(let response): return Answer(response: response)
            case .wait(let delay, let next):
                state = next
                clock.advance(by: delay)
            }
        }
        throw Unanswered()
    }

    struct Unanswered: Error {}

    // MARK: What most tests begin with

    static let recipe = """
        {"url":"https://provider.test/cgi-bin/token","method":"GET","arguments":[
          {"name":"appid","place":"url","value":"$key_1"},{"name":"secret","place":"url","value":"$key_2"}],
         "token_path":"access_token","content_type":"json","expires_in_path":"expires_in"}
        """

    /// Where `recipe` sends credentials.
    static let destination =
        "https://provider.test#sha256:1e99c1f2c11cd6c77a10d12e984192a7f32030525d31bfe308936fdb276aafe7"

    func register(realm: String = "wx", key: String = "app", recipe: String = World.recipe) throws {
        let stored = try send(.post, "/api/realm", #"{"id":"\#(realm)","config":\#(recipe)}"#)
        try #require(stored.status == 200, "\(stored.text)")
        let secret = try send(
            .post, "/api/secret", #"{"realm":"\#(realm)","key":"\#(key)","key_1":"an-appid","key_2":"canary-secret"}"#)
        try #require(secret.status == 200, "\(secret.text)")
    }

    static func token(_ token: String, life: Int = 7_200) -> ScriptedClient.Answer {
        answer(200, #"{"access_token":"\#(token)","expires_in":\#(life)}"#)
    }

    static func answer(_ status: Int, _ body: String) -> ScriptedClient.Answer {
        .success(ClientResponse(Status(code: status), body: Array(body.utf8)))
    }

    func token(_ more: String = "", realm: String = "wx", key: String = "app") throws -> Answer {
        try send(.get, "/api/token?realm=\(realm)&key=\(key)\(more)")
    }
}
