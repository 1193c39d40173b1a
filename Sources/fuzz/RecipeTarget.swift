internal import Clocks
internal import HTTP
internal import JSON
internal import Log
internal import Recipes
internal import TestKit
internal import Tokens

/// The recipe reader and what reads a provider's answer: `config`, a line `----`, the answer's body.
///
/// Whatever comes of it, no text that is shown holds a credential.
struct RecipeTarget: FuzzTarget {
    let name = "recipes"
    let dictionary = [
        #""token_path":"a.b.0""#, #""expires_in_path":"e""#, #""expires_in_unit":"@ms""#,
        #""success":[{"path":"c","absent_or":0}]"#,
        #""errors":{"quota":[1]}"#, #""error":{"code":"c","message":"m"}"#, #""content_type":"form""#,
        #""content_type":"text""#,
        #""refresh_token_path":"r""#, #""$key_1""#, "$$", "\n----\n", #""place":"header""#, "canary-credential",
        "\\r\\n",
        #""expires_in":1e18"#, "-9223372036854775808",
    ]
    private static let separator = Array("\n----\n".utf8)
    private static let canary = "canary-credential"

    var seeds: [[UInt8]] {
        [
            #"""
            {"url":"https://p.example/token","method":"GET","arguments":[{"name":"appid","place":"url","value":"$key_1"}],
            "token_path":"access_token","expires_in_path":"expires_in","success":[{"path":"errcode","absent_or":0}]}
            ----
            {"access_token":"T","expires_in":7200}
            """#,
            #"""
            {"url":"https://p.example/t?x=1","method":"POST","content_type":"form","arguments":[
            {"name":"a","place":"body","value":"$key_1","forced":"$key_2"},{"name":"X-Key","place":"header","value":"$key_1"}],
            "token_path":"data.list.0.token","expires_in_path":"data.at","expires_in_unit":"@s",
            "error":{"code":"error","message":"error_description"},"errors":{"quota":[45009,"q"],"daily_quota":[45011]}}
            ----
            {"error":45009,"error_description":"reach limit canary-credential, invalid ip 192.0.2.1"}
            """#,
            #"""
            {"url":"https://p.example/t","content_type":"text","expires_in":3600,"success":[{"status":[200,201]}]}
            ----
            plain-token
            """#,
            #"""
            {"url":"https://p.example/t","method":"POST","token_path":"t","refresh_token_path":"r","expires_in_path":"e",
            "expires_in_unit":"ms","arguments":[{"name":"r","place":"body","value":"$refresh_token"},{"name":"n","place":"body","value":1.5}]}
            ----
            {"t":"T","r":"R2","e":"7200000"}
            """#,
        ].map { Array($0.utf8) }
    }

    func check(_ input: [UInt8]) -> String? {
        let split = RecipeTarget.split(input)
        let config = String(decoding: split.config, as: UTF8.self)
        if let value = try? JSON.Value(parsing: config.utf8) {
            _ = try? Recipe(parsing: value)
            _ = try? Policy(parsing: value)
        }
        // The status too is told by the input.
        let status = [200, 200, 200, 200, 400, 401, 429, 500, 302, 204][input.count % 10]
        let client = ScriptedClient([.success(ClientResponse(Status(code: status), body: split.answer))])
        let credentials = ["key_1", "key_2", "refresh_token"].map { ($0, Redacted(RecipeTarget.canary)) }
        let material = Material(
            id: SecretID(realm: "wx", key: "app"), version: Version(realm: 1, secret: 1), config: config, logicCode: "",
            credentials: Dictionary(uniqueKeysWithValues: credentials))
        let outcome = RecipeUpstream(client: client, egress: EgressPolicy()).mint(
            material, forced: input.count.isMultiple(of: 2), timeout: .seconds(1),
            look: { Timestamp(milliseconds: 1_700_000_000_000) }, sent: {})
        switch outcome {
        case .minted(let token, let life, _):
            if token.reveal().isEmpty { return "an empty token" }
            // In its last second a provider's token has a life of no whole seconds.
            if let life, life < .zero { return "a token that had died before it came" }
        case .refused(let failure), .unusable(let failure), .ambiguous(let failure):
            // What the administrator wrote into the recipe is no secret.
            if config.contains(RecipeTarget.canary) { return nil }
            for text in [failure.detail, failure.code ?? "", failure.message ?? "", failure.address ?? ""]
            where text.contains(RecipeTarget.canary) { return "a failure that shows a credential" }
        case .stopped: return "stopped by nobody"
        }
        return nil
    }

    private static func split(_ input: [UInt8]) -> (config: ArraySlice<UInt8>, answer: [UInt8]) {
        guard input.count >= separator.count else { return (input[...], []) }
        for start in 0...(input.count - separator.count)
        where input[start..<start + separator.count].elementsEqual(separator) {
            return (input[..<start], Array(input[(start + separator.count)...]))
        }
        return (input[...], Array(input.suffix(input.count / 2)))
    }
}
