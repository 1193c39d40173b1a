import Clocks
import HTTP
import JSON
import Log
import Recipes
import TestKit
import Testing
import Tokens

/// What a refusal means for the next attempt.
@Suite struct FailureClassTests {
    private func failure(_ body: String, status: Int = 200, recipe rest: String = "") throws -> UpstreamFailure {
        let client = ScriptedClient(status, body)
        let outcome = try MintFixture.mint(client, MintFixture.material(MintFixture.recipe(rest)))
        guard case .refused(let failure) = outcome else { throw Unexpected() }
        return failure
    }

    private struct Unexpected: Error {}

    // MARK: The recipe's own lists

    @Test func `a recipe's lists win over what a code means in general`() throws {
        let lists = #""errors":{"transient":["40013",7],"quota":["X"],"daily_quota":[8],"reauthorise":["gone"]}"#
        #expect(try failure(#"{"errcode":40013}"#, recipe: lists).failureClass == .transient)
        #expect(try failure(#"{"errcode":"7"}"#, recipe: lists).failureClass == .transient)
        #expect(try failure(#"{"errcode":"X"}"#, recipe: lists).failureClass == .quota)
        #expect(try failure(#"{"errcode":"X"}"#, recipe: lists).isDaily == false)
        #expect(try failure(#"{"errcode":8}"#, recipe: lists).isDaily)
        #expect(try failure(#"{"errcode":"gone"}"#, recipe: lists).failureClass == .reauthorise)
        #expect(try failure(#"{"errcode":40125}"#, recipe: lists).failureClass == .configuration)
    }

    @Test func `a long code that is listed is shown, another might be a token`() throws {
        let code = "app.is-suspended-until-its-owner-pays"
        let body = #"{"errcode":"\#(code)"}"#
        #expect(try failure(body, recipe: #""errors":{"configuration":["\#(code)"]}"#).code == code)
        #expect(try failure(body).code == "***")
    }

    @Test(arguments: [
        (#"{"errors":[]}"#, "config.errors"), (#"{"errors":{"fatal":["1"]}}"#, "config.errors.fatal"),
        (#"{"errors":{"quota":"1"}}"#, "config.errors.quota"), (#"{"errors":{"quota":[{}]}}"#, "config.errors.quota.0"),
        (#"{"errors":{"quota":[true]}}"#, "config.errors.quota.0"),
        (#"{"errors":{"quota":["1",""]}}"#, "config.errors.quota.1"),
        (#"{"errors":{"quota":["a\nb"]}}"#, "config.errors.quota.0"),
        (#"{"errors":{"quota":["1"],"transient":["2",1]}}"#, "config.errors.transient.1"),
        (#"{"refresh_token_path":7}"#, "config.refresh_token_path"),
        (#"{"refresh_token_path":"refresh_token"}"#, "config.refresh_token_path"),
        (#"{"arguments":[{"name":"a","place":"body","value":1,"forced":[]}]}"#, "config.arguments.0.forced"),
        (#"{"arguments":[{"name":"a","place":"body","value":1,"forced":"$a b"}]}"#, "config.arguments.0.forced"),
        (
            #"{"arguments":[{"name":"a","place":"header","value":1,"forced":"x\r\ny: z"}]}"#,
            "config.arguments.0.forced"
        ),
    ])
    func `lists that cannot be meant are refused by name`(rest: String, field: String) throws {
        let text = #"{"url":"https://p.example/","token_path":"t","# + rest.dropFirst()
        let value = try JSON.Value(parsing: text.utf8)
        let error = #expect(throws: RecipeError.self) { try Recipe(parsing: value) }
        #expect(error?.field == field)
    }

    // MARK: What is known of the platforms

    @Test(arguments: [
        // WeChat and its third-party platform.
        (#"{"errcode":40243,"errmsg":"frozen"}"#, FailureClass.configuration), (#"{"errcode":-1}"#, .transient),
        (#"{"errcode":45011}"#, .quota), (#"{"errcode":61023}"#, .reauthorise), (#"{"errcode":61005}"#, .configuration),
        (#"{"errcode":61004,"errmsg":"access clientip is not registered requestIP: 192.0.2.7"}"#, .address),
        // A ticket by a token that is no more.
        (#"{"errcode":40014,"errmsg":"invalid access_token"}"#, .configuration),
        (#"{"errcode":42002,"errmsg":"refresh_token expired"}"#, .reauthorise),
        // WeCom.
        (#"{"errcode":40091,"errmsg":"secret is invalid"}"#, .configuration), (#"{"errcode":45033}"#, .quota),
        (#"{"errcode":60020,"errmsg":"not allow to access from your ip"}"#, .address),
        // Feishu.
        (#"{"code":10003,"msg":"invalid param"}"#, .configuration), (#"{"code":20064,"msg":"x"}"#, .reauthorise),
        (#"{"code":99991400,"msg":"request trigger frequency limit"}"#, .quota),
        // DingTalk; its old host says more in a code beside the code.
        (#"{"code":"invalidClientIdOrSecret","message":"x"}"#, .configuration),
        (#"{"errcode":88,"errmsg":"ding talk error","sub_code":"40014","sub_msg":"x"}"#, .configuration),
        (#"{"errcode":88,"errmsg":"ding talk error","sub_code":"60020","sub_msg":"x"}"#, .address),
        (#"{"errcode":90002,"errmsg":"x"}"#, .quota),
        // Alipay, whose sub_code tells more where it is known; JD.
        (
            #"{"error_response":{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.refresh-token-invalid"}}"#,
            .reauthorise
        ),
        (#"{"error_response":{"code":"40005","msg":"Call Limited","sub_code":"isv.never-heard-of"}}"#, .quota),
        (#"{"error_response":{"code":"20000","zh_desc":"x"}}"#, .transient),
        // Douyin: an empty token beside an error, and three places for the code.
        (#"{"err_no":40017,"err_tips":"bad secret","data":{"access_token":"","expires_in":0}}"#, .configuration),
        (#"{"err_no":-1,"err_tips":"system","access_token":"beside"}"#, .transient),
        (#"{"data":{"error_code":10020,"description":"too frequent"},"message":"error"}"#, .quota),
        (#"{"data":{"error_code":10010,"description":"expired"},"message":"error"}"#, .reauthorise),
        // Slack.
        (#"{"ok":false,"error":"invalid_refresh_token"}"#, .reauthorise),
        (#"{"ok":false,"error":"ratelimited"}"#, .quota),
        // GitHub, with 200.
        (#"{"error":"bad_refresh_token","error_description":"x","error_uri":"u"}"#, .reauthorise),
        (#"{"error":"incorrect_client_credentials","error_description":"x"}"#, .configuration),
        // OAuth 2.0, without a refresh token in the call.
        (#"{"error":"invalid_grant"}"#, .configuration), (#"{"error":"temporarily_unavailable"}"#, .transient),
    ])
    func `the platforms' codes are known`(body: String, failureClass: FailureClass) throws {
        #expect(try failure(body).failureClass == failureClass)
    }

    @Test(arguments: [
        (403, #"{"code":"Forbidden.AccessDenied.QpsLimitForApi","message":"x"}"#, FailureClass.quota),
        (403, #"{"code":"Forbidden.AccessDenied.IpNotInWhiteList","message":"x"}"#, .address),
        (401, #"{"error":"invalid_client","error_description":"unknown client id"}"#, .configuration),
        (429, #"{"name":"RATE_LIMIT_REACHED","message":"x"}"#, .quota),
        (400, #"{"error":"interaction_required","error_description":"AADSTS50076"}"#, .reauthorise),
        (503, #"{"code":20072,"error":"temporarily_unavailable"}"#, .transient),
    ])
    func `the platforms' codes are known with a status of failure too`(
        status: Int, body: String, failureClass: FailureClass
    ) throws {
        #expect(try failure(body, status: status).failureClass == failureClass)
    }

    @Test(arguments: [
        (#"{"status":"401","message":"Bad credentials","documentation_url":"u"}"#, 401, "401", "Bad credentials"),
        (#"{"status":400,"message":"invalid client"}"#, 400, "400", "invalid client"),
        (#"{"name":"INVALID_RESOURCE","message":"not there"}"#, 404, "INVALID_RESOURCE", "not there"),
        (#"{"error":"invalid_client","reason":"Invalid client_id"}"#, 400, "invalid_client", "Invalid client_id"),
        (#"{"result":100200101,"error":"denied","error_msg":"bad app"}"#, 403, "denied", "bad app"),
    ])
    func `code and message are found where each platform puts them`(
        body: String, status: Int, code: String, message: String
    ) throws {
        let failure = try failure(body, status: status)
        #expect(failure.code == code)
        #expect(failure.message == message)
    }

    @Test func `a success that names its status or itself is not a refusal for want of a token`() throws {
        for body in [#"{"status":"ok"}"#, #"{"name":"n","message":"m"}"#] {
            let outcome = try MintFixture.mint(
                ScriptedClient(200, body), MintFixture.material(MintFixture.recipe("")))
            #expect(MintFixture.Kind(outcome) == .unusable)
        }
    }

    @Test func `403 with Retry-After is a quota, without it a configuration`() throws {
        for (fields, failureClass) in [
            (Fields([Field(.retryAfter, "90")]), FailureClass.quota), (Fields(), .configuration),
        ] {
            let client = ScriptedClient([
                .success(ClientResponse(Status(code: 403), fields: fields, body: Array(#"{"message":"no"}"#.utf8)))
            ])
            let outcome = try MintFixture.mint(client, MintFixture.material(MintFixture.recipe("")))
            #expect(MintFixture.Kind(outcome) == .refused(failureClass, code: nil))
        }
    }

    @Test func `WeCom's limit by minute and hour is not a day's, unless the recipe says so`() throws {
        let body =
            #"{"errcode":45009,"errmsg":"api freq out of limit, hint: [1773643642077182456917975], from ip: 192.0.2.7, more info at https://open.work.weixin.qq.com/devtool/query?e=45009"}"#
        let byCode = try failure(body)
        #expect(byCode.failureClass == .quota)
        #expect(byCode.isDaily == false)
        #expect(try failure(body, recipe: #""errors":{"daily_quota":[45009]}"#).isDaily)
    }

    @Test func `a day's quota is told from a minute's`() throws {
        #expect(try failure(#"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#).isDaily)
        #expect(try failure(#"{"errcode":45011}"#).isDaily == false)
    }

    @Test(arguments: [("89503", Duration.seconds(3_600)), ("89506", .seconds(86_400)), ("40164", nil)])
    func `a new address waits for its administrator`(code: String, pause: Duration?) throws {
        let failure = try failure(#"{"errcode":\#(code),"errmsg":"ip"}"#)
        #expect(failure.failureClass == .address)
        #expect(failure.retryAfter == pause)
        #expect(failure.detail.contains("must confirm") == code.hasPrefix("895"))
    }

    @Test(arguments: [
        #"{"errcode":40164,"errmsg":"invalid ip 192.0.2.7 ipv6 ::ffff:192.0.2.7, not in whitelist rid: 6"}"#,
        #"{"errcode":61004,"errmsg":"access clientip is not registered requestIP: 192.0.2.7 rid: 6"}"#,
        #"{"errcode":60020,"errmsg":"not allow to access from your ip, hint: [1], from ip: 192.0.2.7, more info at https://open.work.weixin.qq.com/devtool/query?e=60020"}"#,
        #"{"errcode":60020,"errmsg":"访问ip不在白名单之中，请参考FAQ：https://open.dingtalk.com/document/org-faq/app-faq,request ip=192.0.2.7 appKey(dingabc)"}"#,
    ])
    func `a refused address is named, with what to do`(body: String) throws {
        let failure = try failure(body)
        #expect(failure.address == "192.0.2.7")
        #expect(failure.detail.contains("Add the address 192.0.2.7 to the application's list of allowed addresses"))
    }

    // MARK: Refresh tokens

    private let rotating = """
        {"url":"https://p.example/token","method":"POST","content_type":"form","arguments":[
          {"name":"grant_type","place":"body","value":"refresh_token"},
          {"name":"refresh_token","place":"body","value":"$refresh_token"}],
         "token_path":"access_token","expires_in_path":"expires_in","refresh_token_path":"refresh_token"}
        """

    private func material(refreshToken: String?) -> Material {
        Material(
            id: SecretID(realm: "wx", key: "app"), version: Version(realm: 1, secret: 1), config: rotating,
            logicCode: "", credentials: ["refresh_token": Redacted("first")],
            refreshToken: refreshToken.map { Redacted($0) }, refreshVersion: 1)
    }

    @Test func `the newest refresh token is presented, and its successor comes with the token`() throws {
        for (stored, presented) in [(nil, "first"), ("second", "second")] {
            let client = ScriptedClient(200, #"{"access_token":"T","expires_in":60,"refresh_token":"next"}"#)
            let outcome = try MintFixture.mint(client, material(refreshToken: stored))
            guard case .minted(let token, _, let refreshToken) = outcome else { throw Unexpected() }
            #expect(token.reveal() == "T")
            #expect(refreshToken?.reveal() == "next")
            #expect(
                client.requests.last.map { String(decoding: $0.body, as: UTF8.self) }
                    == "grant_type=refresh_token&refresh_token=\(presented)")
        }
    }

    @Test func `without a successor the refresh token stays`() throws {
        let client = ScriptedClient(200, #"{"access_token":"T","expires_in":60}"#)
        guard case .minted(_, _, let refreshToken) = try MintFixture.mint(client, material(refreshToken: nil)) else {
            throw Unexpected()
        }
        #expect(refreshToken == nil)
    }

    @Test(arguments: [
        (#"{"name":"refreshToken","place":"body","value":"$refresh_token"}"#, FailureClass.reauthorise),
        (#"{"name":"refresh_token","place":"body","value":"$key_3"}"#, .reauthorise),
        (#"{"name":"grantType","place":"body","value":"refresh_token"}"#, .reauthorise),
        (#"{"name":"assertion","place":"body","value":"$refresh"}"#, .configuration),
    ])
    func `a refused grant wants a person where a refresh token was presented`(
        argument: String, failureClass: FailureClass
    ) throws {
        let client = ScriptedClient(400, #"{"error":"invalid_grant"}"#)
        let config = MintFixture.recipe(#""method":"POST","arguments":[\#(argument)]"#)
        let credentials = ["refresh_token": "r", "key_3": "r", "refresh": "r"]
        let outcome = try MintFixture.mint(client, MintFixture.material(config, credentials))
        #expect(MintFixture.Kind(outcome) == .refused(failureClass, code: "invalid_grant"))
    }

    @Test func `a refused grant wants a person, and shows no refresh token`() throws {
        let client = ScriptedClient(400, #"{"error":"invalid_grant","error_description":"second is revoked"}"#)
        guard case .refused(let failure) = try MintFixture.mint(client, material(refreshToken: "second")) else {
            throw Unexpected()
        }
        #expect(failure.failureClass == .reauthorise)
        #expect(failure.message == "*** is revoked")
        #expect(failure.detail.contains("authorise again"))
    }

    // MARK: Forced refreshes

    private let stable = MintFixture.recipe(
        #""method":"POST","arguments":[{"name":"force_refresh","place":"body","value":false,"forced":true}]"#)

    @Test func `a recipe has a form for forced refreshes where an argument's value differs`() throws {
        for (arguments, hasForcedForm) in [
            (#"{"name":"a","place":"body","value":false,"forced":true}"#, true),
            (#"{"name":"a","place":"body","value":false,"forced":false}"#, false),
            (#"{"name":"a","place":"body","value":false,"forced":null}"#, false),
            (#"{"name":"a","place":"body","value":"$a","forced":"$b"}"#, true),
        ] {
            let text = #"{"url":"https://p.example/","token_path":"t","method":"POST","arguments":[\#(arguments)]}"#
            #expect(try Recipe(parsing: JSON.Value(parsing: text.utf8)).hasForcedForm == hasForcedForm)
        }
    }

    @Test func `a spent quota of forced refreshes does not hold back the others`() throws {
        let body = #"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#
        for (config, forced, isDaily) in [
            (stable, true, false), (stable, false, true), (MintFixture.recipe(""), true, true),
        ] {
            let upstream = RecipeUpstream(client: ScriptedClient(200, body), egress: EgressPolicy())
            let outcome = upstream.mint(
                MintFixture.material(config), forced: forced, timeout: .seconds(5),
                look: { Timestamp(milliseconds: 0) }, sent: {})
            let failure = try #require(MintFixture.failure(outcome))
            #expect(failure.failureClass == .quota)
            #expect(failure.isDaily == isDaily)
        }
    }

    @Test func `a forced refresh sends what its arguments have for it`() throws {
        let recipe = stable
        for forced in [false, true] {
            let client = ScriptedClient(200, #"{"access_token":"T"}"#)
            let upstream = RecipeUpstream(client: client, egress: EgressPolicy())
            _ = upstream.mint(
                MintFixture.material(recipe), forced: forced, timeout: .seconds(5),
                look: { Timestamp(milliseconds: 0) }, sent: {})
            #expect(
                client.requests.last.map { String(decoding: $0.body, as: UTF8.self) }
                    == #"{"force_refresh":\#(forced)}"#)
        }
    }
}
