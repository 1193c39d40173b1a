import Clocks
import HTTP
import JSON
import Log
import Recipes
import TestKit
import Testing
import Tokens

@Suite struct RecipeRequestTests {
    @Test func `a GET puts its body arguments into the query, after what the URL has`() throws {
        let config = """
            {"url":"https://p.example/t?v=1","arguments":[{"name":"appid","place":"url","value":"$appid"},
            {"name":"grant_type","place":"body","value":"client_credential"}],"token_path":"t"}
            """
        let client = ScriptedClient(200, #"{"t":"x"}"#)
        _ = try MintFixture.mint(client, MintFixture.material(config, ["appid": "a b&c"]))
        let request = try #require(client.requests.first)
        #expect(request.url == "https://p.example/t?v=1&appid=a%20b%26c&grant_type=client_credential")
        #expect(request.body.isEmpty)
        #expect(request.method == .get)
    }

    @Test func `a JSON body keeps the types of its values`() throws {
        let config = MintFixture.recipe(
            #""method":"POST","arguments":[{"name":"s","place":"body","value":"$s"},{"name":"force_refresh","place":"body","value":false},{"name":"n","place":"body","value":1.50},{"name":"lit","place":"body","value":"$$s"},{"name":"X-Key","place":"header","value":"$s"}]"#
        )
        let client = ScriptedClient(200, #"{"access_token":"x"}"#)
        _ = try MintFixture.mint(client, MintFixture.material(config, ["s": #"q"\"#]))
        let request = try #require(client.requests.first)
        #expect(
            String(decoding: request.body, as: UTF8.self) == #"{"s":"q\"\\","force_refresh":false,"n":1.50,"lit":"$s"}"#
        )
        #expect(request.fields[.contentType] == "application/json")
        #expect(request.fields.contains { $0.name.lowercased == "x-key" && $0.value == #"q"\"# })
    }

    @Test func `a form body is encoded as one, which the predecessor could not (bug 13)`() throws {
        let config = MintFixture.recipe(
            #""method":"POST","content_type":"form","arguments":[{"name":"grant_type","place":"body","value":"client_credentials"},{"name":"client_secret","place":"body","value":"$s"}]"#
        )
        let client = ScriptedClient(200, #"{"access_token":"x"}"#)
        _ = try MintFixture.mint(client, MintFixture.material(config, ["s": "a+b&c=ü"]))
        let request = try #require(client.requests.first)
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == "grant_type=client_credentials&client_secret=a%2Bb%26c%3D%C3%BC")
        #expect(request.fields[.contentType] == "application/x-www-form-urlencoded")
    }

    @Test(arguments: [[:], ["s": ""]])
    func `an unknown credential fails before anything is sent, never as the text undefined (bug 8)`(
        credentials: [String: String]
    ) throws {
        let client = ScriptedClient(200, #"{"access_token":"x"}"#)
        let outcome = try MintFixture.mint(
            client,
            MintFixture.material(
                MintFixture.recipe(#""arguments":[{"name":"s","place":"url","value":"$s"}]"#), credentials))
        #expect(MintFixture.Kind(outcome) == .refused(.configuration, code: nil))
        #expect(MintFixture.failure(outcome)?.kind == .unusable)
        #expect(MintFixture.failure(outcome)?.detail.contains("credential s,") == true)
        #expect(client.limits.isEmpty)
    }

    @Test(arguments: ["a\r\nX-Evil: 1", "a\nb", "a\u{0}b", "a\u{7F}"])
    func `a credential cannot break out of its header`(value: String) throws {
        let client = ScriptedClient(200, #"{"access_token":"x"}"#)
        let config = MintFixture.recipe(#""arguments":[{"name":"X-Key","place":"header","value":"$s"}]"#)
        let outcome = try MintFixture.mint(client, MintFixture.material(config, ["s": value]))
        #expect(MintFixture.Kind(outcome) == .refused(.configuration, code: nil))
        #expect(client.limits.isEmpty)
    }

    @Test(arguments: [
        "http://p.example/", "https://127.0.0.1/", "https://169.254.169.254/latest", "http://localhost:9/",
    ])
    func `a recipe cannot reach what the policy forbids (bug 12)`(url: String) throws {
        let client = ScriptedClient(200, #"{"access_token":"x"}"#)
        for material in [
            MintFixture.material(#"{"url":"\#(url)","token_path":"access_token"}"#),
            MintFixture.material(nil, logicCode: url),
        ] {
            let outcome = try MintFixture.mint(client, material)
            #expect(MintFixture.Kind(outcome) == .refused(.configuration, code: nil))
            #expect(MintFixture.failure(outcome)?.kind == .unusable)
        }
        #expect(client.limits.isEmpty)
    }

    @Test func `a host that is too long to be confirmed is not called`() throws {
        let client = ScriptedClient(200, #"{"access_token":"x"}"#)
        let url = "https://" + String(repeating: "a.", count: 110) + "b"
        for material in [
            MintFixture.material(#"{"url":"\#(url)","token_path":"access_token"}"#),
            MintFixture.material(nil, logicCode: url),
        ] {
            #expect(MintFixture.failure(try MintFixture.mint(client, material))?.kind == .unusable)
        }
        #expect(client.limits.isEmpty)
    }

    @Test func `what is listed may be plain http`() throws {
        let client = ScriptedClient(200, #"{"t":"x"}"#)
        let outcome = try MintFixture.mint(
            client, MintFixture.material(#"{"url":"http://127.0.0.1:81/","token_path":"t"}"#), allow: "127.0.0.1:81")
        #expect(MintFixture.Kind(outcome) == .minted("x", nil))
    }

    @Test func `logic_code receives realm, key and credentials, and answers in seconds`() throws {
        let client = ScriptedClient(200, #"{"token":"made","expires_in":"7200"}"#)
        let credentials = ["key_1": "c", "realm": "forged", "appid": "a"]
        let outcome = try MintFixture.mint(
            client, MintFixture.material(nil, credentials, logicCode: "https://logic.example/make"))
        #expect(MintFixture.Kind(outcome) == .minted("made", .seconds(7200)))
        let request = try #require(client.requests.first)
        #expect(request.method == .post)
        #expect(try JSON.Value(parsing: request.body) == ["appid": "a", "key_1": "c", "realm": "wx", "key": "main"])
    }

    @Test func `config wins over logic_code`() throws {
        let client = ScriptedClient(200, #"{"access_token":"x"}"#)
        _ = try MintFixture.mint(
            client, MintFixture.material(MintFixture.recipe(""), logicCode: "https://logic.example/make"))
        #expect(client.requests.map(\.url) == ["https://p.example/token"])
    }

    @Test func `a call is bounded by what is left of the caller's time`() throws {
        let client = ScriptedClient(200, #"{"access_token":"x"}"#)
        let upstream = RecipeUpstream(client: client, egress: EgressPolicy())
        _ = upstream.mint(
            MintFixture.material(MintFixture.recipe("")), forced: false, timeout: .seconds(1),
            look: { Timestamp(milliseconds: 0) }, sent: {})
        #expect(client.limits.map(\.total) == [.seconds(1)])
        #expect(client.limits.map(\.connect) == [.seconds(1)])
    }
}
