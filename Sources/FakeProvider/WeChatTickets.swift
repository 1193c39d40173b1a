internal import Clocks
internal import HTTP
internal import JSON

/// Source: developers.weixin.qq.com, "JS-SDK".
extension Provider {
    /// `GET /cgi-bin/ticket/getticket`: the same ticket while it is valid, and always announced with its full life.
    mutating func ticket(_ call: Call, now: Timestamp) -> Response {
        guard let token = call["access_token"] else { return failure(41_001, "access_token missing") }
        guard let entry = ledger.alive(token, now: now), entry.endpoint == .token || entry.endpoint == .stableToken
        else {
            if let dead = ledger.entries[token], dead.diesAt <= now {
                counters.used(call.endpoint, dead: dead, at: now)
            }
            return failure(40_001, "invalid credential, access_token is invalid or not latest")
        }
        guard let kind = call["type"], kind == "jsapi" || kind == "wx_card" else {
            return failure(40_097, "invalid args")
        }
        let ticket: String
        if let known = weChat.tickets[entry.application]?[kind], ledger.alive(known, now: now) != nil {
            ticket = known
        } else {
            ticket = mint(.ticket, entry.application, prefix: "", length: 86, now: now)
            weChat.tickets[entry.application, default: [:]][kind] = ticket
        }
        return Response(
            .ok,
            json: [
                "errcode": 0, "errmsg": "ok", "ticket": .string(ticket),
                "expires_in": Value(settings.life.wholeSeconds),
            ])
    }
}
