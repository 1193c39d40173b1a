import Recipes
import Testing
import Tokens

/// What of a recipe says where credentials travel, and what does not.
@Suite struct DestinationTests {
    private static let base = #"""
        {"url":"https://api.example/token?v=1","method":"POST","content_type":"form","arguments":[
         {"name":"grant_type","place":"body","value":"client_credentials"},
         {"name":"id","place":"body","value":"$key_1"},{"name":"secret","place":"body","value":"$key_2"},
         {"name":"X-Api","place":"header","value":"2"},{"name":"lang","place":"url","value":"en"},
         {"name":"refresh","place":"body","value":false,"forced":"$key_3"}],"token_path":"t"}
        """#

    private static func destination(_ config: String?, _ logicCode: String = "") throws -> Destination {
        let destination = try Destination(config: config, logicCode: logicCode)
        try #require(destination != .nowhere, "\(config ?? logicCode)")
        return destination
    }

    private static func changed(_ part: String, _ other: String) throws -> Destination {
        let config = base.replacing(part, with: other)
        try #require(config != base, "\(part)")
        return try destination(config)
    }

    /// The text that is digested, written by hand; what is stored in databases is compared with it for ever.
    @Test func `the digest is of the places with their lengths, and never another`() throws {
        #expect(
            try Self.destination(Self.base).text
                == "https://api.example#sha256:e71f869dfcfdd9327c2b7995c1bb8c7b1b8ca34025218b3409271cc8d9cc3f34")
        #expect(
            try Self.destination(nil, "https://logic.example/make").text
                == "https://logic.example#sha256:e4375a2cb4ebeafec4333e792b12f47bd76280d34c2b23f9d93457b18a4712c2")
        // Arguments of one name in one place stay in the order that they are written in.
        let sameName = Self.recipe(
            #"{"name":"a","place":"url","value":"$y"},{"name":"a","place":"url","value":"$x"},"#
                + #"{"name":"a","place":"url","value":1}"#)
        #expect(
            try Self.destination(sameName).text
                == "https://h#sha256:00780b9b2915247a2c453c68890a18ea0b3215828e81e75c60fb23e88c07ca76")
        let text =
            #"{"url":"https://h/","content_type":"text","arguments":[{"name":"k","place":"url","value":"$x"}]}"#
        #expect(
            try Self.destination(text).text
                == "https://h#sha256:3a6962fec7905af0d5bd5f605cbabdc182a523a262e70a45576b9444050cf279")
        let judged =
            #"{"url":"https://h/","token_path":"t","expires_in_path":"l","error":{"code":"c","message":"m"},"success":["#
            + #"{"path":"errcode","absent_or":0},{"path":"ok","equals":true},{"path":"a","exists":false},"#
            + #"{"status":[200,201]}]}"#
        #expect(
            try Self.destination(judged).text
                == "https://h#sha256:b5b37ad0f443047126d4deddd4771999873e536adbf7f7fbb89ed4b86bd779c5")
    }

    @Test(arguments: [
        ("https://api", "http://api"), ("api.example", "api.example:8443"), ("api.example", "evil.example"),
        ("/token", "/gists"), ("/token", "/token/"), ("?v=1", "?v=2"), ("?v=1", ""), (#""POST""#, #""PUT""#),
        (#""form""#, #""json""#),
        // Places and names of credentials.
        (#""secret","place":"body""#, #""secret","place":"url""#),
        (#""secret","place":"body""#, #""secret","place":"header""#), (#""secret""#, #""description""#),
        (#""$key_2""#, #""$key_1""#), (#""$key_2""#, #""$appid""#), (#""$key_2""#, #""constant""#),
        (#""client_credentials""#, #""$key_4""#),
        // What a forced refresh sends.
        (#","forced":"$key_3""#, ""), (#""forced":"$key_3""#, #""forced":"$key_2""#),
        (#""value":"$key_1""#, #""value":"$key_1","forced":"$key_2""#),
        (#""value":"$key_1""#, #""value":"$key_1","forced":"x""#),
        // Constants in the head of the request: it says where it goes.
        (#""value":"en""#, #""value":"de""#), (#""lang""#, #""action""#), (#""X-Api""#, #""X-Original-URL""#),
        (#""value":"2""#, #""value":"3""#), (#""lang","place":"url""#, #""lang","place":"body""#),
        // What of the answer callers are told.
        (#""token_path":"t""#, #""token_path":"refresh_token""#), (#""token_path":"t""#, #""token_path":"t.0""#),
        (#""token_path":"t""#, #""token_path":"T""#),
        (#""token_path":"t""#, #""token_path":"t","expires_in_path":"refresh_token""#),
        (#""token_path":"t""#, #""token_path":"t","error":{"code":"refresh_token"}"#),
        (#""token_path":"t""#, #""token_path":"t","error":{"message":"refresh_token"}"#),
        (#""token_path":"t""#, #""token_path":"t","success":[{"status":599}]"#),
        (#""token_path":"t""#, #""token_path":"t","success":[{"path":"code","equals":"a guess"}]"#),
    ])
    func `a change of where a credential travels is another destination`(part: String, other: String) throws {
        #expect(try Self.changed(part, other) != Self.destination(Self.base))
    }

    @Test(arguments: [
        ("client_credentials", "authorization_code"), (#""value":false"#, #""value":true"#),
        (#""grant_type""#, #""kind""#),
        (#"{"name":"grant_type","place":"body","value":"client_credentials"},"#, ""),
        (#""token_path":"t""#, #""token_path":"t","expires_in":60"#),
        (#""token_path":"t""#, #""token_path":"t","errors":{"quota":[1]}"#),
        (#""X-Api""#, #""x-api""#), ("https://api.example/", "HTTPS://API.example:443/"), (#""POST""#, #""post""#),
        (#""name":"id","place":"body","value":"$key_1""#, #""value" : "$key_1", "place":"body", "name":"\u0069d""#),
        (#""value":"2""#, #""value":2"#), (#""value":"$key_1""#, #""value":"$key_1","forced":"$key_1""#),
        (
            #"{"name":"id","place":"body","value":"$key_1"},{"name":"secret","place":"body","value":"$key_2"}"#,
            #"{"name":"secret","place":"body","value":"$key_2"},{"name":"id","place":"body","value":"$key_1"}"#
        ),
    ])
    func `a change that sends no credential elsewhere is the same destination`(part: String, other: String) throws {
        #expect(try Self.changed(part, other) == Self.destination(Self.base))
    }

    private static func recipe(_ arguments: String, method: String = "GET", url: String = "https://h/") -> String {
        #"{"url":"\#(url)","method":"\#(method)","arguments":[\#(arguments)],"token_path":"t"}"#
    }

    /// Each pair is one text where the parts are written one after the other.
    @Test func `no two sets of places have one digest, wherever the boundaries between their parts lie`() throws {
        func argument(_ name: String, _ value: String, _ place: String = "url") -> String {
            #"{"name":"\#(name)","place":"\#(place)","value":"\#(value)"}"#
        }
        let configs = [
            argument("ab", "$c"), argument("a", "$bc"), argument("ab", "c"), argument("a", "bc"), argument("a", "$$bc"),
            argument("a", "b&c=d"), argument("a", "b") + "," + argument("c", "d"), argument("a=b&c", "d"),
            argument("a", "$b") + "," + argument("c", "$d"), argument("a", "$b") + "," + argument("c", "credential1:d"),
            argument("a", "1:b") + "," + argument("c", "1:d"), argument("a", "1:b5:query1:c8:constant3:1:d"),
            argument("a", "$x") + "," + argument("a", "$y"), argument("a", "$y") + "," + argument("a", "$x"),
            argument("a", "$x", "header") + "," + argument("a", "$y"),
            argument("a", "$x") + "," + argument("a", "$y", "header"),
        ].map { Self.recipe($0) }
        let others = [
            Self.recipe("", url: "https://h/?a=b"), Self.recipe(argument("a", "b"), url: "https://h/"),
            Self.recipe(argument("b", "c"), url: "https://h/a"), Self.recipe(argument("a", "$k", "body")),
            Self.recipe(argument("a", "$k", "body"), method: "POST"), Self.recipe("", method: "POST"),
        ]
        let read = [
            others[0].replacing(#""token_path":"t""#, with: #""token_path":"path""#),
            others[0].replacing(#""token_path":"t""#, with: #""token_path":"all""#),
            others[0].replacing(#""token_path":"t""#, with: #""content_type":"text""#),
        ]
        let all = try (configs + others + read).map { try Self.destination($0) } + [Self.destination(nil, "https://h/")]
        #expect(Set(all).count == all.count)
    }

    private static func judged(by conditions: String) throws -> Destination {
        let recipe = recipe("").replacing(#""token_path":"t""#, with: #""token_path":"t","success":[\#(conditions)]"#)
        return try destination(recipe)
    }

    @Test func `every other rule of success is another destination, and none at all too`() throws {
        let rules = [
            #"{"status":200}"#, #"{"status":[200,201]}"#, #"{"status":200},{"status":201}"#, #"{"status":202}"#,
            #"{"path":"a","exists":true}"#, #"{"path":"a","exists":false}"#, #"{"path":"b","exists":true}"#,
            #"{"path":"a","equals":true}"#, #"{"path":"a","absent_or":true}"#, #"{"path":"a","equals":"x"}"#,
            #"{"path":"a","equals":""}"#, #"{"path":"a","equals":0}"#, #"{"path":"a","absent_or":0}"#,
            #"{"path":"a","equals":0},{"path":"b","equals":0}"#, #"{"path":"a","equals":0},{"status":200}"#,
            #"{"path":"a1:b","equals":0}"#, #"{"path":"a","equals":"0:"}"#,
        ]
        let all = try rules.map { try Self.judged(by: $0) } + [Self.destination(Self.recipe(""))]
        #expect(Set(all).count == all.count)
    }

    @Test func `a rule of success that is spelt otherwise is the same destination`() throws {
        let same = [
            (#"{"path":"a","equals":0}"#, #"{ "equals" : "0", "path":"\u0061" }"#),
            (#"{"status":200}"#, #"{"status":[200]}"#),
        ]
        for (one, other) in same { #expect(try Self.judged(by: one) == Self.judged(by: other), "\(other)") }
    }

    @Test func `of a body its credentials count alone`() throws {
        func argument(_ value: String, _ place: String = "body") -> String {
            #"{"name":"a","place":"\#(place)","value":"\#(value)"}"#
        }
        func form(_ arguments: String...) -> String {
            Self.recipe(arguments.joined(separator: ","), method: "POST")
                .replacing(#""token_path""#, with: #""content_type":"form","token_path""#)
        }
        // A constant and a credential of one name.
        let constantFirst = try Self.destination(form(argument("x"), argument("$k")))
        #expect(try Self.destination(form(argument("$k"), argument("x"))) == constantFirst)
        #expect(try Self.destination(form(argument("$k"))) == constantFirst)
        // Whether it is a form, where there is none in it.
        let without = form(argument("x"), argument("$k", "header"))
        #expect(try Self.destination(without.replacing("form", with: "json")) == Self.destination(without))
    }

    @Test func `an argument of the body of a GET is one of the query`() throws {
        let body = Self.recipe(#"{"name":"a","place":"body","value":"$k"}"#)
        #expect(try Self.destination(body) == Self.destination(body.replacing("body", with: "url")))
    }

    @Test(arguments: [
        ("{}", "https://h/"), ("no JSON", "https://h/"), (#"{"url":"https://h/"}"#, ""), (nil, ""), (nil, "h"),
        (nil, "https://" + String(repeating: "a.", count: 111)),
    ])
    func `a realm whose recipe or URL cannot be used sends nothing anywhere`(config: String?, logicCode: String) throws
    {
        #expect(try Destination(config: config, logicCode: logicCode) == .nowhere)
    }

    @Test func `what is longest fits its column`() {
        let origin = String(repeating: "o", count: Destination.longestOrigin)
        #expect(
            Destination(origin: origin, digest: String(repeating: "0", count: 64)).text.utf8.count == 300)
    }

    @Test func `an origin alone permits every place there, and is bound to where its realm leads`() {
        let place = Destination("https://a.example#sha256:1")
        let other = Destination("https://a.example#sha256:2")
        let elsewhere = Destination("https://a.example.evil#sha256:1")
        let alone = Destination("https://a.example")
        #expect(place.origin == "https://a.example" && alone.origin == alone.text)
        #expect(alone.isOriginAlone && !place.isOriginAlone && !Destination.nowhere.isOriginAlone)
        #expect(place.permits(place) && !place.permits(other) && !place.permits(alone))
        #expect(alone.permits(place) && alone.permits(other) && !alone.permits(elsewhere) && !alone.permits(.nowhere))
        #expect(!Destination.nowhere.permits(place))
        #expect(place.binding(nil) == place && place.binding(alone) == place)
        #expect(place.binding(other) == other && place.binding(.nowhere) == .nowhere)
        // A realm that leads elsewhere knows nothing of the places at that origin.
        let unknown = elsewhere.binding(alone)
        #expect(unknown.origin == alone.text && !unknown.isOriginAlone)
        #expect(!unknown.permits(place) && !unknown.permits(alone) && place.binding(unknown) == unknown)
    }
}
