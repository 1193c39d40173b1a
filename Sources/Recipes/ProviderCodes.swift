internal import Tokens

/// What the error codes of providers mean for the next attempt.
///
/// Sources: the providers' lists of global return codes (WeChat, WeCom, Feishu) and RFC 6749, 5.2, for OAuth 2.0.
enum ProviderCodes {
    /// Nil for a code that is not known.
    static func failureClass(_ code: String) -> FailureClass? {
        table[code]
    }

    private static let table: [String: FailureClass] = {
        var table: [String: FailureClass] = [:]
        for (failureClass, codes) in lists {
            for code in codes { table[code] = failureClass }
        }
        return table
    }()

    private static let lists: [(FailureClass, [String])] = [
        (
            .configuration,
            [
                // WeChat and WeCom: credentials, grant type, app id; frozen or restricted accounts.
                "40001", "40002", "40013", "40091", "40125", "40243", "41002", "41004", "50002", "50004", "50007",
                "48002",
                // Feishu: parameters, secret, app.
                "10003", "20002", "20048", "20069", "20070",
                // OAuth 2.0.
                "invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client",
                "unsupported_grant_type", "access_denied",
                // DingTalk.
                "40035", "40089", "40096", "invalidClientIdOrSecret", "InvalidAuthentication", "invalidSuiteKey",
                "invalid.client",
                "unauthorized.client",
            ]
        ),
        // The caller's address is not on the provider's list, or waits for the administrator.
        (
            .address,
            [
                "40164", "60020", "61004", "89503", "89504", "89505", "89506", "89507",
                "Forbidden.AccessDenied.IpNotInWhiteList",
            ]
        ),
        (.quota, ["45009", "45011", "45033", "slow_down"]),
        (.transient, ["-1", "20050", "20072", "server_error", "temporarily_unavailable"]),
    ]

    /// Where providers in general put their code and message, the most telling first.
    static let places: [(code: String, message: String)] = [
        ("errcode", "errmsg"), ("err_code", "err_msg"), ("error_code", "error_msg"),
        ("error_code", "error_description"),
        ("data.error_code", "data.description"), ("error", "error_description"), ("error", "message"),
        ("error.code", "error.message"), ("code", "msg"), ("code", "message"),
    ]

    /// Members that mean an error wherever they are set, even beside a token.
    static let errorMarks = ["errcode", "err_code", "error_code", "error"]
}
