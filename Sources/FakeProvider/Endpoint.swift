/// The token endpoints that are simulated, by path.
enum Endpoint: String, Sendable, CaseIterable {
    case token = "/cgi-bin/token"
    case stableToken = "/cgi-bin/stable_token"
    case ticket = "/cgi-bin/ticket/getticket"
    case weCom = "/cgi-bin/gettoken"
    case oauth2 = "/oauth2/token"
}
