internal import Clocks
internal import HTTP
internal import JSON

/// Source: developer.work.weixin.qq.com, "gettoken".
extension Provider {
    /// `GET /cgi-bin/gettoken`: the same token while it is valid.
    mutating func weComToken(_ call: Call, now: Timestamp) -> Response {
        guard let corporation = call["corpid"] else { return failure(41_002, "corpid missing") }
        guard let secret = call["corpsecret"] else { return failure(41_004, "corpsecret missing") }
        switch settings.judge(application: corporation, secret: secret) {
        case .unknownApplication: return failure(40_013, "invalid corpid")
        case .wrongSecret: return failure(40_001, "invalid credential")
        case .accepted: break
        }
        let credentials = Credentials(application: corporation, secret: secret)
        let token: String
        if let known = weComTokens[credentials], ledger.alive(known, now: now) != nil {
            token = known
        } else {
            token = mint(.weCom, corporation, prefix: "", length: 214, now: now)
            weComTokens[credentials] = token
        }
        let left = (ledger.entries[token]?.diesAt).map { $0 - now } ?? .zero
        return Response(
            .ok,
            json: [
                "errcode": 0, "errmsg": "ok", "access_token": .string(token), "expires_in": Value(left.wholeSeconds),
            ])
    }
}
