internal import Tokens

/// What the error codes of providers mean for the next attempt, where a recipe does not say it.
///
/// Sources: the providers' lists of return codes as linked in `docs/recipes.md`, and RFC 6749, 5.2, for OAuth 2.0. A code that two
/// providers use means the same for the next attempt at both.
enum ProviderCodes {
    /// Nil for a code that is not known.
    static func meaning(_ code: String) -> ErrorMeaning? {
        table[code]
    }

    private static let table: [String: ErrorMeaning] = {
        var table: [String: ErrorMeaning] = [:]
        for (failureClass, codes) in lists {
            for code in codes { table[code] = ErrorMeaning(failureClass) }
        }
        for code in dailyQuotas { table[code] = ErrorMeaning(.quota, isDaily: true) }
        for (code, pause) in pauses { table[code]?.pause = pause }
        return table
    }()

    /// Whether an administrator must confirm a new address, rather than put it on a list.
    static func awaitsConfirmation(_ code: String) -> Bool { confirmations.contains(code) }

    private static let lists: [(FailureClass, [String])] = [
        (
            .configuration,
            [
                // WeChat, its third-party platform, WeCom: credentials, grant type, app id, tickets; frozen accounts.
                "40001", "40002", "40013", "40082", "40085", "40091", "40125", "40243", "41002", "41004", "42009",
                "43001", "43002", "47001", "48001", "48002", "50002", "50004", "50007", "61005", "61006", "61011",
                // The token by which a ticket or another token is asked for: WeChat and WeCom; Feishu; Baidu; Huawei.
                "40014", "42001", "99991663", "99991664", "99991671", "110", "111", "80200001", "80200003",
                // Feishu: parameters, secret, app, ticket, code.
                "10003", "10012", "20002", "20003", "20004", "20024", "20048", "20065", "20069", "20070", "20074",
                // DingTalk; 88 tells more in its sub_code.
                "88", "40035", "40089", "40096", "invalidClientIdOrSecret", "InvalidAuthentication", "invalidSuiteKey",
                "invalidSuiteTicket", "invalid.client", "unauthorized.client",
                // Alipay.
                "20001", "40003", "40004", "40006", "isv.code-invalid", "isv.grant-type-invalid",
                // Douyin: app id, secret, grant type; parameter, key.
                "40015", "40017", "40020", "10002", "10013",
                // Huawei's OAuth errors.
                "1101",
                // OAuth 2.0, GitHub, Slack.
                "incorrect_client_credentials", "application_suspended", "bad_verification_code", "invalid_client",
                "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client",
                "unsupported_grant_type", "access_denied", "bad_client_secret", "invalid_client_id",
            ]
        ),
        // The caller's address is not on the provider's list, or waits for the administrator.
        (
            .address,
            [
                "40164", "60020", "61004", "89501", "89503", "89504", "89505", "89506", "89507",
                "Forbidden.AccessDenied.IpNotInWhiteList",
            ]
        ),
        (
            .quota,
            [
                // WeChat, WeCom; Feishu; DingTalk, old host and new; Alipay; Douyin.
                "45011", "45033", "99991400", "90002", "90018", "Forbidden.AccessDenied.QpsLimitForApi",
                "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", "40005", "10020",
                // OAuth 2.0 servers, Slack, PayPal.
                "slow_down", "ratelimited", "rate_limited", "RATE_LIMIT_REACHED",
            ]
        ),
        (
            .transient,
            [
                "-1", "20000", "20050", "20072", "unknownError", "server_error", "temporarily_unavailable",
                "internal_error",
            ]
        ),
        (
            .reauthorise,
            [
                // Refresh tokens of WeChat's authorizers and users, Feishu, Douyin, Alipay, Slack, GitHub, HubSpot.
                "61003", "61023", "40030", "42002", "20026", "20037", "20064", "20073", "10010",
                "isv.refresh-token-invalid", "isv.refresh-token-time-out", "invalid_refresh_token", "token_revoked",
                "token_expired", "bad_refresh_token", "BAD_REFRESH_TOKEN",
                // OpenID Connect: the user must come.
                "interaction_required", "consent_required", "login_required",
            ]
        ),
    ]

    /// Spent until the provider's midnight; WeCom uses the code for its limits by minute and hour.
    private static let dailyQuotas = ["45009"]

    /// What the message of a limit by minute or hour holds, where its code could be a day's quota: WeCom's `api freq out of limit`.
    static let frequencyWord = "freq"

    private static let confirmations: Set<String> = ["89501", "89503", "89504", "89505", "89506", "89507"]

    /// A new address waits for its administrator, who may have refused it for an hour or a day.
    private static let pauses: [String: Duration] = [
        "89503": .seconds(3_600), "89506": .seconds(86_400), "89507": .seconds(3_600),
    ]

    /// Where providers in general put their code and message, the most telling first.
    static let places: [(code: String, message: String)] = [
        ("sub_code", "sub_msg"), ("errcode", "errmsg"), ("err_code", "err_msg"), ("err_no", "err_tips"),
        ("error_code", "error_msg"), ("error_code", "error_description"), ("data.error_code", "data.description"),
        ("error_response.sub_code", "error_response.sub_msg"), ("error_response.code", "error_response.msg"),
        ("error_response.code", "error_response.zh_desc"), ("error", "error_description"), ("error", "error_msg"),
        ("error", "reason"), ("error", "message"), ("error.code", "error.message"), ("code", "msg"),
        ("code", "message"),
    ]

    /// Looked at where the HTTP status says failure, as successes have such members too: PayPal's; GitHub's and Twitch's, who repeat
    /// the status.
    static let failurePlaces: [(code: String, message: String)] = [("name", "message"), ("status", "message")]

    /// Members that mean an error wherever they are set, even beside a token.
    static let errorMarks = ["errcode", "err_code", "err_no", "error_code", "error", "error_response"]
}
