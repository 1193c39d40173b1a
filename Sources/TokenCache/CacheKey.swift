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
    /// Where the caller asks from, where the server's verdict depends on that; else empty.
    var address = ""

    /// Who asks, as `caller` has it; nil where that is not one.
    static func caller(of request: borrowing Request) -> [UInt8]? {
        let credentials = request.fields.values(.authorization)
        guard credentials.count < 2 else { return nil }
        guard let credential = credentials.first else { return [] }
        return try? SHA256.digest(Array(credential.utf8))
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(realm)
        hasher.combine(key)
        // A digest in one piece; an array hashes byte by byte.
        unsafe caller.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        if !address.isEmpty { hasher.combine(address) }
    }
}

/// A request that may be answered from memory.
struct TokenQuery {
    private(set) var cacheKey: CacheKey
    /// What the server is told of where the caller asks from.
    private let address: String
    /// What the answer must have left; nil where the caller does not care.
    let minimumLife: Duration?

    /// Nil for whatever must be passed on: another route or method, a flush, a body, arguments that are repeated or unknown.
    init?(_ request: borrowing Request) {
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
        guard let caller = CacheKey.caller(of: request) else { return nil }
        address = request.forwardedFor
        cacheKey = CacheKey(realm: realm, key: key, caller: caller)
        self.minimumLife = minimumLife
    }

    /// The same, for this address alone.
    func boundToAddress() -> TokenQuery {
        var bound = self
        bound.cacheKey.address = address
        return bound
    }
}

extension Request {
    /// The way that it came, each hop written by the next: what the header says, then what the platform says.
    var forwardedFor: String {
        let hops = fields.values(.forwardedFor) + (sourceAddress.map { [$0] } ?? [])
        return hops.count > 1 ? hops.joined(separator: ", ") : hops.first ?? ""
    }
}

extension ClientResponse {
    /// Whether it is meant for the caller's address alone.
    var isBoundToAddress: Bool {
        fields.values(.vary).contains { $0.lowercased().contains(Field.Name.forwardedFor.lowercased) }
    }
}
