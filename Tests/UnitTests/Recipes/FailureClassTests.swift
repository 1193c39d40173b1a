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

    @Test(arguments: [
        (#"{"errors":[]}"#, "config.errors"), (#"{"errors":{"fatal":["1"]}}"#, "config.errors.fatal"),
        (#"{"errors":{"quota":"1"}}"#, "config.errors.quota"), (#"{"errors":{"quota":[{}]}}"#, "config.errors.quota.0"),
        (#"{"errors":{"quota":[true]}}"#, "config.errors.quota.0"),
        (#"{"errors":{"quota":["1"],"transient":["2",1]}}"#, "config.errors.transient.1"),
        (#"{"refresh_token_path":7}"#, "config.refresh_token_path"),
        (#"{"arguments":[{"name":"a","place":"body","value":1,"forced":[]}]}"#, "config.arguments.0.forced"),
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
        // WeCom.
        (#"{"errcode":40091,"errmsg":"secret is invalid"}"#, .configuration), (#"{"errcode":45033}"#, .quota),
        (#"{"errcode":60020,"errmsg":"not allow to access from your ip"}"#, .address),
        // Feishu.
        (#"{"code":10003,"msg":"invalid param"}"#, .configuration), (#"{"code":20064,"msg":"x"}"#, .reauthorise),
        // DingTalk.
        (#"{"code":"invalidClientIdOrSecret","message":"x"}"#, .configuration),
        // Douyin: an empty token beside an error.
        (#"{"data":{"error_code":10020,"description":"too frequent"},"message":"error"}"#, .quota),
        (#"{"data":{"error_code":10010,"description":"expired"},"message":"error"}"#, .reauthorise),
        // Slack.
        (#"{"ok":false,"error":"invalid_refresh_token"}"#, .reauthorise),
        (#"{"ok":false,"error":"ratelimited"}"#, .quota),
        // OAuth 2.0, without a refresh token in the call.
        (#"{"error":"invalid_grant"}"#, .configuration), (#"{"error":"temporarily_unavailable"}"#, .transient),
    ])
    func `the platforms' codes are known`(body: String, failureClass: FailureClass) throws {
        #expect(try failure(body).failureClass == failureClass)
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
    }

    @Test(arguments: [
        #"{"errcode":40164,"errmsg":"invalid ip 192.0.2.7 ipv6 ::ffff:192.0.2.7, not in whitelist rid: 6"}"#,
        #"{"errcode":61004,"errmsg":"access clientip is not registered requestIP: 192.0.2.7 rid: 6"}"#,
        #"{"errcode":60020,"errmsg":"not allow to access from your ip, hint: [1], from ip: 192.0.2.7, more info at https://open.work.weixin.qq.com"}"#,
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

    @Test func `a forced refresh sends what its arguments have for it`() throws {
        let recipe = MintFixture.recipe(
            #""method":"POST","arguments":[{"name":"force_refresh","place":"body","value":false,"forced":true}]"#)
        for forced in [false, true] {
            let client = ScriptedClient(200, #"{"access_token":"T"}"#)
            let upstream = RecipeUpstream(client: client, egress: EgressPolicy())
            _ = upstream.mint(
                MintFixture.material(recipe), forced: forced, timeout: .seconds(5), look: { true }, sent: {})
            #expect(
                client.requests.last.map { String(decoding: $0.body, as: UTF8.self) }
                    == #"{"force_refresh":\#(forced)}"#)
        }
    }
}
