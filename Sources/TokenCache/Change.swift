internal import HTTP
internal import JSON

/// What a request that is passed on may change, and when the answers in memory are dropped for it.
struct Change: Sendable {
    /// As the server's table of routes reads it, whatever is escaped in it.
    let path: String
    /// What the request names; nil where that cannot be told.
    let realm: String?
    private let key: String?
    private let isChange: Bool

    /// The routes that change tokens, or who may have them.
    private static let routes: Set = ["token", "secret", "realm", "key"]

    init(_ request: Request) {
        let segments = RequestPath.segments(of: request.path)
        path = segments.map { "/" + $0.joined(separator: "/") } ?? request.path
        var values: [String: String] = [:]
        for parameter in QueryString(parsing: request.query)?.parameters ?? [] {
            values[parameter.name] = parameter.value
        }
        let body = request.body.isEmpty ? nil : (try? JSON.Value(parsing: request.body))?.object
        realm = values["realm"] ?? body?["realm"]?.string
        key = values["key"] ?? body?["key"]?.string
        isChange = (request.method != .get && request.method != .head) || path == "/api/token"
    }

    /// Whether the route is one on which the server asks who the caller is.
    var isOfAPI: Bool { path.hasPrefix("/api/") }

    /// The rule: what the server refused, and what never reached it, has changed nothing.
    ///
    /// What it did counts. Where that is unknown, by an error of the server or a connection that broke, it counts for a route
    /// that can change tokens and a caller whom the server has lately accepted: strangers empty no memory while the server fails.
    func counts(_ result: Result<ClientResponse, ClientError>, from caller: @autoclosure () -> Bool) -> Bool {
        guard isChange else { return false }
        switch result {
        case .success(let response) where response.status.code < 400: return true
        case .success(let response) where response.status.code < 500: return false
        case .failure(.notSent): return false
        case .success, .failure(.ambiguous):
            let segments = path.split(separator: "/")
            return segments.count >= 2 && segments[0] == "api" && Change.routes.contains(String(segments[1]))
                && caller()
        }
    }

    /// Drops one token where it can be told, else everything.
    func forget(in memory: Memory) {
        if path == "/api/token" || path == "/api/secret", let realm, let key {
            memory.forget(realm: realm, key: key)
        } else {
            memory.forgetAll()
        }
    }
}
