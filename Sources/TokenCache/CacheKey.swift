internal import Crypto
internal import HTTP

/// What an answer is kept under: a token, and who asked for it.
///
/// The caller is in the key because the server's answer is also its verdict on the caller.
struct CacheKey: Hashable, Sendable {
    let realm: String
    let key: String
    /// SHA-256 of the `Authorization` field; empty without one, so that nobody's key lies in memory.
    let caller: [UInt8]
}

/// A request that may be answered from memory.
struct TokenQuery {
    let cacheKey: CacheKey
    /// What the answer must have left; nil where the caller does not care.
    let minimumLife: Duration?

    /// Nil for whatever must be passed on: another route or method, a flush, a body, arguments that are repeated or unknown.
    init?(_ request: Request) {
        guard request.path == "/api/token", request.method == .get || request.method == .head, request.body.isEmpty,
            let query = QueryString(parsing: request.query)
        else { return nil }
        var realm: String?
        var key: String?
        var isFlush: String?
        var seconds: String?
        for parameter in query.parameters {
            switch parameter.name {
            case "realm" where realm == nil: realm = parameter.value
            case "key" where key == nil: key = parameter.value
            case "flush" where isFlush == nil: isFlush = parameter.value
            case "min_ttl" where seconds == nil: seconds = parameter.value
            default: return nil
            }
        }
        guard let realm, let key, !realm.isEmpty, !key.isEmpty, isFlush ?? "false" == "false" else { return nil }
        var minimumLife: Duration?
        if let seconds {
            guard let seconds = Int64(seconds), (0...315_360_000).contains(seconds) else { return nil }
            minimumLife = .seconds(seconds)
        }
        let credentials = request.fields.values(.authorization)
        guard credentials.count < 2 else { return nil }
        var caller: [UInt8] = []
        if let credential = credentials.first {
            guard let digest = try? SHA256.digest(Array(credential.utf8)) else { return nil }
            caller = digest
        }
        cacheKey = CacheKey(realm: realm, key: key, caller: caller)
        self.minimumLife = minimumLife
    }
}
