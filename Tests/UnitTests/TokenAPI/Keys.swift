import HTTP
import JSON
import TestKit
import Testing
import TokenAPI

/// What the tests of callers have in common: keys made by the administrator whose digest is in the environment.
extension World {
    static func withKeys(
        _ answers: [ScriptedClient.Answer] = [], _ more: [String: String] = [:], limiter: RateLimiter = RateLimiter()
    ) throws -> World {
        let environment = ["AUTH": "keys", "ADMIN_KEY_SHA256": World.digest].merging(more) { $1 }
        return try World(answers, environment: environment, limiter: limiter)
    }

    /// Sends a request with this key.
    func send(
        _ method: HTTP.Method, _ target: String, _ body: String? = nil, as key: String, from address: String? = nil,
        fields: [Field] = []
    ) throws -> Answer {
        try send(method, target, body, fields: fields + [Field(.authorization, "Bearer \(key)")], from: address)
    }

    /// Makes a key, and answers its text.
    func makeKey(_ body: String) throws -> (key: String, id: String) {
        let made = try send(.post, "/api/key", body, as: World.key)
        try #require(made.status == 200, "\(made.text)")
        return (try #require(made.json["key"]?.string), try #require(made.json["id"]?.string))
    }

    /// Stores realms with one secret `app` each.
    func registerAsAdministrator(_ realms: String..., recipe: String = World.recipe) throws {
        for realm in realms {
            let stored = try send(.post, "/api/realm", #"{"id":"\#(realm)","config":\#(recipe)}"#, as: World.key)
            try #require(stored.status == 200, "\(stored.text)")
            let body = #"{"realm":"\#(realm)","key":"app","key_1":"an-appid","key_2":"canary-secret"}"#
            let secret = try send(.post, "/api/secret", body, as: World.key)
            try #require(secret.status == 200, "\(secret.text)")
        }
    }
}

extension RateLimiter {
    /// With some limits of its own: so many requests a second, and so many at once.
    convenience init(
        key: (Int64, Int64)? = nil, refusedKey: (Int64, Int64)? = nil, refusedAddress: (Int64, Int64)? = nil,
        refused: (Int64, Int64)? = nil, limit: Int = 10_000
    ) {
        var rates = Rates()
        if let key { rates.key = Rate(perSecond: key.0, burst: key.1) }
        if let refusedKey { rates.refusedKey = Rate(perSecond: refusedKey.0, burst: refusedKey.1) }
        if let refusedAddress { rates.refusedAddress = Rate(perSecond: refusedAddress.0, burst: refusedAddress.1) }
        if let refused { rates.refused = Rate(perSecond: refused.0, burst: refused.1) }
        self.init(rates, limit: limit)
    }
}
