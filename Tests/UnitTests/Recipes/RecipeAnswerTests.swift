import Clocks
import HTTP
import JSON
import Log
import Recipes
import TestKit
import Testing
import Tokens

@Suite struct RecipeAnswerTests {
    @Test(
        arguments: [
            // WeChat: no errcode on success, HTTP 200 with one on failure (bug 6).
            ("", 200, #"{"access_token":"T","expires_in":7200}"#, .minted("T", .seconds(7200))),
            ("", 200, #"{"errcode":40013,"errmsg":"invalid appid"}"#, .refused(.configuration, code: "40013")),
            ("", 200, #"{"errcode":-1,"errmsg":"system error"}"#, .refused(.transient, code: "-1")),
            ("", 200, #"{"errcode":45009,"errmsg":"quota"}"#, .refused(.quota, code: "45009")),
            ("", 200, #"{"errcode":40001,"access_token":"T"}"#, .refused(.configuration, code: "40001")),
            // WeCom: errcode 0.
            (
                "", 200, #"{"errcode":0,"errmsg":"ok","access_token":"T","expires_in":7200}"#,
                .minted("T", .seconds(7200))
            ),
            (
                #""success":[{"path":"errcode","absent_or":0}]"#, 200, #"{"errcode":"0","access_token":"T"}"#,
                .minted("T", nil)
            ),
            (
                #""success":[{"path":"errcode","absent_or":0}]"#, 200, #"{"errcode":60020,"access_token":"T"}"#,
                .refused(.address, code: "60020")
            ),
            // Kuaishou: result 1.
            (#""success":[{"path":"result","equals":1}]"#, 200, #"{"result":1,"access_token":"T"}"#, .minted("T", nil)),
            (
                #""success":[{"path":"result","equals":1}],"error":{"code":"result"}"#, 200, #"{"result":100200100}"#,
                .refused(.transient, code: "100200100")
            ),
            // OAuth 2.0: expires_in as text, errors with 400 and 401.
            ("", 200, #"{"access_token":"T","token_type":"Bearer","expires_in":"3600"}"#, .minted("T", .seconds(3600))),
            ("", 400, #"{"error":"invalid_client"}"#, .refused(.configuration, code: "invalid_client")),
            ("", 401, #"{"error":"temporarily_unavailable"}"#, .refused(.transient, code: "temporarily_unavailable")),
            ("", 403, "forbidden", .refused(.configuration, code: nil)),
            ("", 429, "slow down", .refused(.quota, code: nil)),
            ("", 302, "", .refused(.configuration, code: nil)),
            // A mint may have happened.
            ("", 200, "", .unusable), ("", 200, "{", .unusable), ("", 200, "<html>", .unusable),
            ("", 200, "{}", .unusable),
            ("", 204, "", .unusable), ("", 200, #"{"access_token":""}"#, .unusable),
            ("", 200, #"{"access_token":7}"#, .unusable),
            ("", 200, #"{"access_token":"a\nb"}"#, .unusable),
            ("", 200, #"{"access_token":"a","access_token":"b"}"#, .unusable),
            ("", 500, "", .ambiguous), ("", 502, "<html>bad gateway</html>", .ambiguous),
            ("", 503, #"{"error":"Service Unavailable","path":"/token"}"#, .ambiguous),
            ("", 503, #"{"errcode":-1}"#, .refused(.transient, code: "-1")),
            (#""error":{"code":"c"}"#, 500, #"{"c":"own"}"#, .refused(.transient, code: "own")),
            // A declared status.
            (#""success":[{"status":201}]"#, 201, #"{"access_token":"T"}"#, .minted("T", nil)),
            (#""success":[{"status":201}]"#, 200, #"{"access_token":"T"}"#, .refused(.configuration, code: nil)),
            (
                #""success":[{"path":"ok","exists":true}]"#, 200, #"{"access_token":"T"}"#,
                .refused(.transient, code: nil)
            ),
        ] as [(String, Int, String, MintFixture.Kind)])
    func `an answer is judged by its recipe`(rest: String, status: Int, body: String, expected: MintFixture.Kind) throws
    {
        #expect(
            MintFixture.Kind(
                try MintFixture.mint(ScriptedClient(status, body), MintFixture.material(MintFixture.recipe(rest))))
                == expected)
    }

    @Test(
        arguments: [
            // Feishu, DingTalk, nested and odd names (bug 7).
            (
                #""token_path":"tenant_access_token","expires_in_path":"expire""#,
                #"{"code":0,"msg":"ok","tenant_access_token":"T","expire":6000}"#, .minted("T", .seconds(6000))
            ),
            (
                #""token_path":"tenant_access_token","expires_in_path":"expire""#,
                #"{"code":10003,"msg":"invalid param"}"#, .refused(.configuration, code: "10003")
            ),
            (
                #""token_path":"accessToken","expires_in_path":"expireIn""#, #"{"accessToken":"T","expireIn":7200}"#,
                .minted("T", .seconds(7200))
            ),
            (#""token_path":"data.list.1.token""#, #"{"data":{"list":[{},{"token":"T"}]}}"#, .minted("T", nil)),
            (#""token_path":"data.list.01.token""#, #"{"data":{"list":[{},{"token":"T"}]}}"#, .unusable),
            (#""token_path":"a.b""#, #"{"a":{"b":"nested"},"a.b":"literal"}"#, .minted("literal", nil)),
            (#""token_path":"a.b.c""#, #"{"a.b":{"c":"T"}}"#, .minted("T", nil)),
            // Lives (bug 7: a missing one is none, not NaN).
            (#""token_path":"t","expires_in_path":"e""#, #"{"t":"T"}"#, .minted("T", nil)),
            (#""token_path":"t","expires_in_path":"e""#, #"{"t":"T","e":null}"#, .minted("T", nil)),
            (#""token_path":"t","expires_in_path":"e","expires_in":60"#, #"{"t":"T"}"#, .minted("T", .seconds(60))),
            (#""token_path":"t","expires_in":60"#, #"{"t":"T","e":5}"#, .minted("T", .seconds(60))),
            (
                #""token_path":"t","expires_in_path":"e","expires_in_unit":"ms""#, #"{"t":"T","e":"7200000"}"#,
                .minted("T", .seconds(7200))
            ),
            (
                #""token_path":"t","expires_in_path":"e","expires_in_unit":"@s""#, #"{"t":"T","e":1700000060}"#,
                .minted("T", .seconds(60))
            ),
            (
                #""token_path":"t","expires_in_path":"e","expires_in_unit":"@ms""#, #"{"t":"T","e":"1700000060500"}"#,
                .minted("T", .milliseconds(60_500))
            ),
            (
                #""token_path":"t","expires_in_path":"e","expires_in_unit":"@s""#, #"{"t":"T","e":1600000000}"#,
                .minted("T", .zero)
            ),
            (#""token_path":"t","expires_in_path":"e""#, #"{"t":"T","e":1e30}"#, .minted("T", .seconds(315_360_000))),
            (#""token_path":"t","expires_in_path":"e""#, #"{"t":"T","e":1e400}"#, .unusable),
            (#""token_path":"t","expires_in_path":"e""#, #"{"t":"T","e":0}"#, .minted("T", .zero)),
            (#""token_path":"t","expires_in_path":"e""#, #"{"t":"T","e":-1}"#, .unusable),
            (#""token_path":"t","expires_in_path":"e""#, #"{"t":"T","e":"soon"}"#, .unusable),
            (#""token_path":"t","expires_in_path":"e""#, #"{"t":"T","e":"nan"}"#, .unusable),
            (#""token_path":"t","expires_in_path":"e""#, #"{"t":"T","e":true}"#, .unusable),
            // The whole answer is the token.
            (#""content_type":"text","expires_in":60"#, "  T0ken.x\n", .minted("T0ken.x", .seconds(60))),
            (#""content_type":"text""#, "<html>busy</html>", .unusable),
            (#""content_type":"text""#, "two words", .unusable),
            (#""content_type":"text""#, #"{"error":"x"}"#, .unusable), (#""content_type":"text""#, " \n", .unusable),
        ] as [(String, String, MintFixture.Kind)])
    func `token and life are found where the recipe says`(rest: String, body: String, expected: MintFixture.Kind) throws
    {
        let config = #"{"url":"https://p.example/t","# + rest + "}"
        #expect(
            MintFixture.Kind(try MintFixture.mint(ScriptedClient(200, body), MintFixture.material(config))) == expected)
    }

    @Test(
        arguments: [
            (.notSent(.connect), .refused(.transient, code: nil), .unreachable),
            (.notSent(.resolve), .refused(.transient, code: nil), .unreachable),
            (.notSent(.tls), .refused(.transient, code: nil), .unreachable),
            (.notSent(.connectTimeout), .refused(.transient, code: nil), .unreachable),
            (.notSent(.refusedAddress), .refused(.configuration, code: nil), .unusable),
            (.ambiguous(.timeout), .ambiguous, .unreachable), (.ambiguous(.reset), .ambiguous, .unreachable),
            (.ambiguous(.truncated), .ambiguous, .unreachable), (.ambiguous(.tooLarge), .ambiguous, .refused),
            (.ambiguous(.malformed), .ambiguous, .refused),
        ] as [(ClientError, MintFixture.Kind, UpstreamFailure.Kind)])
    func `without an answer it counts what was sent`(
        error: ClientError, expected: MintFixture.Kind, kind: UpstreamFailure.Kind
    ) throws {
        let outcome = try MintFixture.mint(
            ScriptedClient([.failure(error)]), MintFixture.material(MintFixture.recipe("")))
        #expect(MintFixture.Kind(outcome) == expected)
        #expect(MintFixture.failure(outcome)?.kind == kind)
    }

    @Test func `a look that says no sends nothing`() throws {
        let client = ScriptedClient(200, #"{"access_token":"x"}"#)
        #expect(
            MintFixture.Kind(
                try MintFixture.mint(client, MintFixture.material(MintFixture.recipe("")), look: { false })) == .stopped
        )
        #expect(client.requests.isEmpty)
    }

    @Test func `a token up to 16 KiB is taken, one longer is not`() throws {
        for (length, isTaken) in [(16_384, true), (16_385, false)] {
            let token = String(repeating: "x", count: length)
            let outcome = try MintFixture.mint(
                ScriptedClient(200, #"{"access_token":"\#(token)"}"#), MintFixture.material(MintFixture.recipe("")))
            #expect(MintFixture.Kind(outcome) == (isTaken ? .minted(token, nil) : .unusable))
        }
    }

    @Test func `the address that a provider refuses is named`() throws {
        let body =
            #"{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 6543abcd-12345678-0badcafe"}"#
        let shown = MintFixture.failure(
            try MintFixture.mint(ScriptedClient(200, body), MintFixture.material(MintFixture.recipe(""))))
        #expect(shown?.failureClass == .address)
        #expect(shown?.address == "203.0.113.9")
        #expect(shown?.message?.hasSuffix("rid: 6543abcd-12345678-0badcafe") == true)
    }

    /// By the fixture's clock it is Tue, 14 Nov 2023 22:13:20 GMT.
    @Test(
        arguments: [
            ("30", nil, .seconds(30)), ("999999999", nil, .seconds(86_400)), ("-1", nil, nil), ("soon", nil, nil),
            ("9223372036854775807", nil, .seconds(86_400)),
            ("Sat, 21 Nov 2026 01:20:35 GMT", "Sat, 21 Nov 2026 01:20:05 GMT", .seconds(30)),
            ("Sat, 28 Nov 2026 01:20:35 GMT", "Sat, 21 Nov 2026 01:20:05 GMT", .seconds(86_400)),
            ("Sat, 21 Nov 2026 01:20:05 GMT", "Sat, 21 Nov 2026 01:20:05 GMT", nil),
            ("Tue, 14 Nov 2023 22:13:50 GMT", nil, .seconds(30)),
            ("Tue, 14 Nov 2023 22:13:50 GMT", "unclear", .seconds(30)),
            ("Tue, 14 Nov 2023 22:13:19 GMT", nil, nil),
        ] as [(String, String?, Duration?)])
    func `Retry-After is heeded in seconds and as a date, a day at most`(
        text: String, date: String?, expected: Duration?
    ) throws {
        var fields = Fields([Field(.retryAfter, text)])
        fields[.date] = date
        #expect(
            MintFixture.failure(
                try MintFixture.mint(
                    ScriptedClient(429, "", fields: fields), MintFixture.material(MintFixture.recipe(""))))?
                .retryAfter == expected)
    }

    @Test func `a provider's words are shown without secrets, control characters or end`() throws {
        let secret = #"CANARY"se/cret+1"#
        let token = "CANARYtoken"
        let echoes = [
            "bad \(secret)", "url ?s=\(PercentEncoding.encode(secret))", token, "line\r\nbreak \u{202E}turned",
            "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9",
        ]
        for status in [200, 400, 503] {
            for echo in echoes {
                let answer: JSON.Value = [
                    "errcode": .string("40001 \(secret)"),
                    "errmsg": .string(echo + " " + String(repeating: "long ", count: 100)),
                    "access_token": .string(token), "echo_of_it": .string(secret),
                ]
                let config = MintFixture.recipe(#""arguments":[{"name":"s","place":"url","value":"$s"}]"#)
                let outcome = try MintFixture.mint(
                    ScriptedClient(status, answer.text), MintFixture.material(config, ["s": secret]))
                let shown = try #require(MintFixture.failure(outcome))
                let text = "\(shown)"
                #expect(!text.contains("CANARY"))
                #expect(!text.contains("eyJhbGci"))
                let message = try #require(shown.message)
                #expect(message.count <= 300)
                #expect(message.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202E })
            }
        }
    }
}
