import HTTP
import JSON
import Recipes
import Testing

@Suite struct RecipeParsingTests {
    /// The recipe that the predecessor ships with.
    static let wecom = """
        {"url":"https://qyapi.weixin.qq.com/cgi-bin/gettoken","method":"GET","arguments":[
        {"name":"corpid","place":"url","value":"$key_1"},{"name":"corpsecret","place":"url","value":"$key_2"}],
        "token_path":"access_token","content_type":"json","expires_in_path":"expires_in"}
        """

    @Test func `the predecessor's recipe is read as it is`() throws {
        let recipe = try Recipe(parsing: JSON.Value(parsing: Self.wecom.utf8))
        #expect(recipe.credentialNames == ["key_1", "key_2"])
        #expect(recipe.method == .get)
        #expect(recipe.lifeUnit == .seconds)
        #expect(recipe.success == nil)
        #expect(recipe.url.text() == "https://qyapi.weixin.qq.com/cgi-bin/gettoken")
    }

    @Test(
        arguments: [
            (#"[]"#, "config"), (#"{}"#, "config.url"), (#"{"url":1}"#, "config.url"),
            (#"{"url":"ftp://h"}"#, "config.url"),
            (#"{"url":"https://h"}"#, "config.token_path"),
            (#"{"url":"https://h","token_path":"a..b"}"#, "config.token_path"),
            (#"{"url":"https://h","token_path":"a","colour":1}"#, "config.colour"),
            (#"{"url":"https://h","token_path":"a","method":"TRACE"}"#, "config.method"),
            (#"{"url":"https://h","token_path":"a","content_type":"xml"}"#, "config.content_type"),
            (#"{"url":"https://h","token_path":"a","content_type":"text"}"#, "config.token_path"),
            (#"{"url":"https://h","content_type":"text","expires_in_path":"a"}"#, "config.expires_in_path"),
            (
                #"{"url":"https://h","content_type":"text","success":[{"path":"a","exists":true}]}"#,
                "config.success.0.path"
            ),
            (#"{"url":"https://h","token_path":"a","expires_in_unit":"min"}"#, "config.expires_in_unit"),
            (#"{"url":"https://h","token_path":"a","expires_in":0}"#, "config.expires_in"),
            (#"{"url":"https://h","token_path":"a","expires_in":"7200"}"#, "config.expires_in"),
            (#"{"url":"https://h","token_path":"a","arguments":{}}"#, "config.arguments"),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"place":"url","value":"1"}]}"#,
                "config.arguments.0.name"
            ),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"name":"a","value":"1"}]}"#,
                "config.arguments.0.place"
            ),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"name":"a","place":"cookie","value":"1"}]}"#,
                "config.arguments.0.place"
            ),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"name":"a","place":"url"}]}"#,
                "config.arguments.0.value"
            ),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"name":"a","place":"url","value":"$"}]}"#,
                "config.arguments.0.value"
            ),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"name":"a","place":"url","value":"$a b"}]}"#,
                "config.arguments.0.value"
            ),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"name":"a","place":"url","value":["x"]}]}"#,
                "config.arguments.0.value"
            ),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"name":"a","place":"url","value":"x","x":1}]}"#,
                "config.arguments.0.x"
            ),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"name":"Host","place":"header","value":"x"}]}"#,
                "config.arguments.0.name"
            ),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"name":"a:b","place":"header","value":"x"}]}"#,
                "config.arguments.0.name"
            ),
            (
                #"{"url":"https://h","token_path":"a","arguments":[{"name":"a","place":"header","value":"x\r\ny"}]}"#,
                "config.arguments.0.value"
            ),
            (
                #"{"url":"https://h","token_path":"a","method":"POST","arguments":[{"name":"a","place":"body","value":1},{"name":"a","place":"body","value":2}]}"#,
                "config.arguments.1.name"
            ),
            (#"{"url":"https://h","token_path":"a","success":[]}"#, "config.success"),
            (#"{"url":"https://h","token_path":"a","success":[{"path":"c"}]}"#, "config.success.0"),
            (
                #"{"url":"https://h","token_path":"a","success":[{"path":"c","equals":1,"exists":true}]}"#,
                "config.success.0"
            ),
            (#"{"url":"https://h","token_path":"a","success":[{"equals":1}]}"#, "config.success.0.path"),
            (#"{"url":"https://h","token_path":"a","success":[{"path":"c","exists":1}]}"#, "config.success.0.exists"),
            (#"{"url":"https://h","token_path":"a","success":[{"path":"c","equals":[1]}]}"#, "config.success.0.equals"),
            (#"{"url":"https://h","token_path":"a","success":[{"status":99}]}"#, "config.success.0.status"),
            (#"{"url":"https://h","token_path":"a","error":{"cause":"c"}}"#, "config.error.cause"),
        ])
    func `a bad recipe is refused with its innermost member`(config: String, field: String) throws {
        let value = try JSON.Value(parsing: config.utf8)
        let error = #expect(throws: RecipeError.self) { try Recipe(parsing: value) }
        #expect(error?.field == field)
    }

    @Test func `a member that is null counts as absent`() throws {
        let text = #"{"url":"https://h","token_path":"a","method":null,"success":null,"error":null,"expires_in":null}"#
        let recipe = try Recipe(parsing: JSON.Value(parsing: text.utf8))
        #expect(recipe.method == .get)
        #expect(recipe.success == nil)
    }
}
