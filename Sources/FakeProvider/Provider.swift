package import Clocks
package import HTTP
internal import JSON

/// A provider of tokens, by the published rules of WeChat, WeCom and OAuth 2.0, with faults on request.
///
/// Pure: time and randomness are arguments. Its own clock is what it is given plus what tests advanced it by.
package struct Provider: Sendable {
    var settings: Settings
    private var random: any RandomNumberGenerator & Sendable
    var advanced = Duration.zero
    var faults = FaultPlan()
    var counters = Counters()
    var ledger = TokenLedger()
    var weChat = WeChatState()
    /// The WeCom token of each corporation and secret.
    var weComTokens: [Credentials: String] = [:]
    /// The one refresh token of each OAuth 2.0 client that is good.
    var refreshTokens: [String: String] = [:]

    package init(
        settings: Settings = Settings(), random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.settings = settings
        self.random = random
    }

    /// An application's credentials as a call presents them.
    struct Credentials: Hashable, Sendable {
        let application: String
        let secret: String
    }

    /// Answers one request.
    package mutating func handle(_ request: Request, now: Timestamp) -> Reply {
        let now = now + advanced
        guard let endpoint = Endpoint(rawValue: request.path) else { return Reply(.whole(control(request, now: now))) }
        let call = Call(request, endpoint)
        // A ticket is asked for by a token, which tells the application.
        let owner = call["access_token"].flatMap { ledger.entries[$0]?.application }
        counters.called(endpoint, owner ?? call.application)
        guard let entry = faults.next(endpoint) else { return Reply(.whole(answer(call, now: now))) }
        let delivery = entry.fault.mints ? damaged(answer(call, now: now), entry.fault) : refusal(entry.fault)
        return Reply(delivery, delay: entry.delay)
    }

    private mutating func answer(_ call: Call, now: Timestamp) -> Response {
        switch call.endpoint {
        case .token: classicToken(call, now: now)
        case .stableToken: stableToken(call, now: now)
        case .ticket: ticket(call, now: now)
        case .weCom: weComToken(call, now: now)
        case .oauth2: oauth2Token(call, now: now)
        }
    }

    private func damaged(_ response: Response, _ fault: Fault) -> Reply.Delivery {
        var response = response
        switch fault {
        case .resetAfterMint: return .reset
        case .brokenJSON: response.body.removeLast(min(2, response.body.count))
        case .empty: response.body = []
        case .overLong:
            let padding = [UInt8](repeating: UInt8(ascii: "x"), count: 256 << 10)
            response.body.removeLast(min(1, response.body.count))
            response.body += Array(#","padding":""#.utf8) + padding + Array(#""}"#.utf8)
        case .truncated: return .truncated(response, bytes: response.body.count / 2)
        case .delay, .reset, .status500, .redirect, .hang: break
        }
        return .whole(response)
    }

    private func refusal(_ fault: Fault) -> Reply.Delivery {
        switch fault {
        case .reset: .reset
        case .hang: .hang
        case .redirect: .whole(Response(Status(code: 302), fields: Fields([Field(.location, "/elsewhere")])))
        default: .whole(Response(.internalServerError, text: "internal server error"))
        }
    }

    // MARK: What the endpoints share

    /// Mints a token that lives for the configured life.
    mutating func mint(_ endpoint: Endpoint, _ application: String, prefix: String, length: Int, now: Timestamp)
        -> String
    {
        let token = prefix + randomText(length)
        ledger.add(
            token,
            TokenLedger.Entry(endpoint: endpoint, application: application, mintedAt: now, diesAt: now + settings.life))
        counters.minted(endpoint, application)
        return token
    }

    mutating func randomText(_ length: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".utf8)
        return String(
            decoding: (0..<length).map { _ in alphabet[Int.random(in: 0..<64, using: &random)] }, as: UTF8.self)
    }

    /// The failure that Tencent's platforms share: HTTP 200, a code, and a message that ends with a request id.
    mutating func failure(_ code: Int64, _ message: String) -> Response {
        let rid = (0..<3).map { _ in hexadecimal(UInt32.random(in: .min ... .max, using: &random)) }.joined(
            separator: "-")
        return Response(.ok, json: ["errcode": Value(code), "errmsg": .string("\(message) rid: \(rid)")])
    }

    private func hexadecimal(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
