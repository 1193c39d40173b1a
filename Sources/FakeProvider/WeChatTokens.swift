internal import Clocks
internal import HTTP
internal import JSON

/// What WeChat remembers of its applications; the two token endpoints do not affect each other.
struct WeChatState: Sendable {
    struct Stable: Sendable {
        var rotation = Rotation()
        var forced = DailyCount()
        var lastForced: Timestamp?
    }

    var classic: [String: Rotation] = [:]
    var quota: [String: DailyCount] = [:]
    var stable: [String: Stable] = [:]
    /// By application and kind.
    var tickets: [String: [String: String]] = [:]
}

/// Sources: developers.weixin.qq.com, "Get access_token" and "getStableAccessToken".
extension Provider {
    static let callsPerDay = 2_000
    static let forcedCallsPerDay = 20
    static let forcedInterval = Duration.seconds(30)

    /// `GET /cgi-bin/token`: every call mints and kills the token before, which works for 300 s more.
    mutating func classicToken(_ call: Call, now: Timestamp) -> Response {
        guard call.method == .get else { return failure(43_001, "require GET method") }
        switch weChatApplication(call) {
        case .failure(let refusal): return refusal.response
        case .success(let application):
            guard weChat.quota[application, default: DailyCount()].take(limit: Provider.callsPerDay, now: now) else {
                return failure(45_009, "reach max api daily quota limit")
            }
            let token = mint(.token, application, prefix: "57_", length: 150, now: now)
            weChat.classic[application, default: Rotation()].replace(
                with: token, overlap: settings.overlap, in: &ledger, now: now)
            return weChatToken(token, expiresIn: settings.life)
        }
    }

    /// `POST /cgi-bin/stable_token`: the same token until its last 300 s, unless a refresh is forced.
    mutating func stableToken(_ call: Call, now: Timestamp) -> Response {
        guard call.method == .post else { return failure(43_002, "require POST method") }
        guard let body = call.body, body.object != nil else { return failure(47_001, "data format error") }
        let force = body["force_refresh"] ?? false
        guard let isForced = force.bool else { return failure(47_001, "data format error") }
        switch weChatApplication(call) {
        case .failure(let refusal): return refusal.response
        case .success(let application):
            var state = weChat.stable[application, default: WeChatState.Stable()]
            var mustMint = true
            if let current = state.rotation.current, let entry = ledger.alive(current, now: now),
                entry.diesAt - now > settings.overlap
            {
                mustMint = false
            }
            // A forced call too soon after another counts as a normal one.
            if isForced, state.lastForced.map({ now - $0 >= Provider.forcedInterval }) ?? true {
                guard state.forced.take(limit: Provider.forcedCallsPerDay, now: now) else {
                    return failure(45_009, "reach max api daily quota limit")
                }
                state.lastForced = now
                mustMint = true
            }
            if mustMint {
                let token = mint(.stableToken, application, prefix: "68_", length: 150, now: now)
                state.rotation.replace(
                    with: token, overlap: settings.overlap, in: &ledger, now: now)
            }
            weChat.stable[application] = state
            let token = state.rotation.current ?? ""
            return weChatToken(token, expiresIn: (ledger.entries[token]?.diesAt).map { $0 - now } ?? .zero)
        }
    }

    private func weChatToken(_ token: String, expiresIn: Duration) -> Response {
        Response(.ok, json: ["access_token": .string(token), "expires_in": Value(expiresIn.wholeSeconds)])
    }

    private struct Refusal: Error {
        let response: Response
    }

    /// The application of a call whose credentials and address are right.
    private mutating func weChatApplication(_ call: Call) -> Result<String, Refusal> {
        func refuse(_ response: Response) -> Result<String, Refusal> { .failure(Refusal(response: response)) }
        guard call["grant_type"] == "client_credential" else { return refuse(failure(40_002, "invalid grant_type")) }
        guard let application = call["appid"] else { return refuse(failure(41_002, "appid missing")) }
        guard let secret = call["secret"] else { return refuse(failure(41_004, "appsecret missing")) }
        switch settings.judge(application: application, secret: secret) {
        case .unknownApplication: return refuse(failure(40_013, "invalid appid"))
        case .wrongSecret: return refuse(failure(40_125, "invalid appsecret"))
        case .accepted: break
        }
        let address = call.sourceAddress ?? ""
        guard settings.allowedAddresses.isEmpty || settings.allowedAddresses.contains(address) else {
            return refuse(failure(40_164, "invalid ip \(address) ipv6 ::ffff:\(address), not in whitelist"))
        }
        return .success(application)
    }
}
