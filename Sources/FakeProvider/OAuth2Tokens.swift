internal import Clocks
internal import HTTP
internal import JSON

/// Source: RFC 6749, 2.3.1, 4.4, 5 and 6; RFC 9700, 4.14, for refresh tokens that work once.
extension Provider {
    /// `POST /oauth2/token`: every call mints a token of its own; a refresh token works once.
    mutating func oauth2Token(_ call: Call, now: Timestamp) -> Response {
        guard call.method == .post else {
            var response = oauth2Failure(.methodNotAllowed, "invalid_request", "POST only")
            response.fields[.allow] = "POST"
            return response
        }
        guard let grant = call["grant_type"] else {
            return oauth2Failure(.badRequest, "invalid_request", "no grant_type")
        }
        guard grant == "client_credentials" || grant == "refresh_token" else {
            return oauth2Failure(.badRequest, "unsupported_grant_type", grant)
        }
        let credentials: Credentials
        switch call.basic {
        case .malformed: return oauth2Failure(.badRequest, "invalid_request", "malformed Basic credentials")
        case .credentials(let basic):
            guard call["client_secret"] == nil else {
                return oauth2Failure(.badRequest, "invalid_request", "two ways of authentication")
            }
            credentials = basic
        case .absent:
            guard let id = call["client_id"], let secret = call["client_secret"] else {
                return oauth2Failure(.unauthorized, "invalid_client", "no client authentication")
            }
            credentials = Credentials(application: id, secret: secret)
        }
        guard case .accepted = settings.judge(application: credentials.application, secret: credentials.secret) else {
            return oauth2Failure(.unauthorized, "invalid_client", "unknown client or wrong secret")
        }
        var next: String?
        if grant == "refresh_token" {
            guard let presented = call["refresh_token"] else {
                return oauth2Failure(.badRequest, "invalid_request", "no refresh_token")
            }
            guard isGood(refreshToken: presented, of: credentials.application) else {
                return oauth2Failure(.badRequest, "invalid_grant", "the refresh token is used up or unknown")
            }
            next = authorise(credentials.application)
        }
        var answer: Object = [
            "access_token": .string(mint(.oauth2, credentials.application, prefix: "", length: 64, now: now)),
            "token_type": "Bearer", "expires_in": Value(settings.life.wholeSeconds),
        ]
        if let next { answer["refresh_token"] = .string(next) }
        if let scope = call["scope"] { answer["scope"] = .string(scope) }
        return oauth2Response(.ok, answer)
    }

    /// Issues the refresh token of a client that is good from now on, and no other.
    mutating func authorise(_ client: String) -> String {
        let token = "rt_" + randomText(40)
        refreshTokens[client] = token
        return token
    }

    /// A client's first may be any that does not start with `bad`, so that a newcomer can try at once.
    private func isGood(refreshToken: String, of client: String) -> Bool {
        refreshTokens[client].map { $0 == refreshToken } ?? !refreshToken.hasPrefix("bad")
    }

    private func oauth2Failure(_ status: Status, _ error: String, _ description: String) -> Response {
        var response = oauth2Response(status, ["error": .string(error), "error_description": .string(description)])
        if status == .unauthorized { response.fields[.wwwAuthenticate] = "Basic realm=\"fake-provider\"" }
        return response
    }

    private func oauth2Response(_ status: Status, _ members: Object) -> Response {
        var response = Response(status, json: .object(members))
        response.fields[.cacheControl] = "no-store"
        return response
    }
}
