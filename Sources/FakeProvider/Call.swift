internal import FoundationEssentials
internal import HTTP
internal import JSON

/// One call of a token endpoint and the arguments it presents.
struct Call: Sendable {
    let endpoint: Endpoint
    let method: HTTP.Method
    let sourceAddress: String?
    /// Of the query, or of a form body.
    private let parameters: QueryString
    /// Of a JSON body.
    let body: Value?
    /// How an OAuth 2.0 client shows who it is.
    let basic: Basic

    enum Basic: Sendable {
        case absent
        case malformed
        case credentials(Provider.Credentials)
    }

    init(_ request: Request, _ endpoint: Endpoint) {
        self.endpoint = endpoint
        method = request.method
        sourceAddress = request.sourceAddress
        let form = endpoint == .oauth2 ? String(decoding: request.body, as: UTF8.self) : request.query
        parameters = QueryString(parsing: form) ?? QueryString()
        body = endpoint == .stableToken ? try? Value(parsing: request.body) : nil
        basic = Call.basic(request.fields[.authorization])
    }

    /// The first value of that name; an empty one counts as absent.
    subscript(name: String) -> String? {
        let value = body.map { $0[name]?.string } ?? parameters.value(name)
        return value == "" ? nil : value
    }

    /// The application as the counters name it.
    var application: String {
        if case .credentials(let credentials) = basic, endpoint == .oauth2 { return credentials.application }
        return switch endpoint {
        case .token, .stableToken: self["appid"] ?? ""
        case .ticket: ""
        case .weCom: self["corpid"] ?? ""
        case .oauth2: self["client_id"] ?? ""
        }
    }

    /// Id and secret are form-encoded before they are joined (RFC 6749, 2.3.1).
    private static func basic(_ authorization: String?) -> Basic {
        guard let authorization, authorization.lowercased().hasPrefix("basic ") else { return .absent }
        guard let data = Data(base64Encoded: String(authorization.dropFirst(6))),
            let text = String(validating: data, as: UTF8.self), let colon = text.firstIndex(of: ":"),
            let id = PercentEncoding.decode(text[..<colon], plusIsSpace: true),
            let secret = PercentEncoding.decode(text[text.index(after: colon)...], plusIsSpace: true)
        else { return .malformed }
        return .credentials(Provider.Credentials(application: id, secret: secret))
    }
}
