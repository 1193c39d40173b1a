import FakeProvider
import Foundation
import HTTP
import JSON
import Testing

@Suite struct OtherProviderRuleTests {
    // MARK: WeCom

    @Test func `WeCom gives the same token while it is valid`() throws {
        var bench = ProviderBench()
        let path = "/cgi-bin/gettoken"
        let first = try bench.call(.get, path, query: "corpid=c&corpsecret=s")
        #expect(first.errcode == 0)
        #expect(first["errmsg"] == "ok")
        bench.wait(.seconds(7_199))
        let same = try bench.call(.get, path, query: "corpid=c&corpsecret=s")
        #expect(try same.accessToken == first.accessToken)
        #expect(same["expires_in"] == 1)
        #expect(try bench.call(.get, path, query: "corpid=c&corpsecret=t").accessToken != first.accessToken)
        bench.wait(.seconds(1))
        #expect(try bench.call(.get, path, query: "corpid=c&corpsecret=s").accessToken != first.accessToken)
    }

    @Test(arguments: [
        ("corpsecret=s", 41_002), ("corpid=c", 41_004), ("corpid=x&corpsecret=s", 40_013),
        ("corpid=c&corpsecret=x", 40_001),
    ])
    func `WeCom refuses with its codes`(query: String, code: Int64) throws {
        var bench = ProviderBench(Settings(applications: ["c": "s"]))
        #expect(try bench.call(.get, "/cgi-bin/gettoken", query: query).errcode == code)
    }

    // MARK: OAuth 2.0

    private func basic(_ text: String) -> Fields {
        Fields([Field(.authorization, "Basic " + Data(text.utf8).base64EncodedString())])
    }

    @Test func `OAuth takes Basic or post credentials and mints independent tokens`() throws {
        var bench = ProviderBench(Settings(applications: ["a b": "s:1"]))
        let byBasic = try bench.call(
            .post, "/oauth2/token", fields: basic("a%20b:s%3A1"), body: "grant_type=client_credentials&scope=x")
        let byPost = try bench.call(
            .post, "/oauth2/token", body: "grant_type=client_credentials&client_id=a+b&client_secret=s%3A1")
        #expect(byBasic["token_type"] == "Bearer")
        #expect(byBasic["scope"] == "x")
        #expect(try byBasic.accessToken != byPost.accessToken)
        #expect(try bench.isAlive(byBasic.accessToken))
    }

    @Test func `OAuth takes a refresh token once, and forgets the line when a person authorises again`() throws {
        var bench = ProviderBench(Settings(applications: ["a": "s"]))
        func refresh(_ token: String) throws -> Value {
            try bench.call(
                .post, "/oauth2/token",
                body: "grant_type=refresh_token&client_id=a&client_secret=s&refresh_token=\(token)")
        }
        let first = try refresh("brought")
        let second = try #require(first["refresh_token"]?.string)
        #expect(try refresh("brought")["error"] == "invalid_grant")
        #expect(try refresh("bad")["error"] == "invalid_grant")
        let third = try #require(try refresh(second)["refresh_token"]?.string)
        let again = try bench.call(.post, "/_fake-provider/authorise", body: #"{"client_id":"a"}"#)
        let anew = try #require(again["refresh_token"]?.string)
        #expect(try refresh(third)["error"] == "invalid_grant")
        #expect(try refresh(anew)["token_type"] == "Bearer")
        // Tokens stay as they are; only refresh tokens end.
        #expect(try bench.isAlive(first.accessToken))
    }

    @Test(arguments: [
        ("grant_type=refresh_token&client_id=a&client_secret=s", "", 400, "invalid_request"),
        ("grant_type=refresh_token&client_id=a&client_secret=s&refresh_token=bad", "", 400, "invalid_grant"),
        ("", "", 400, "invalid_request"), ("grant_type=password", "a:s", 400, "unsupported_grant_type"),
        ("grant_type=client_credentials", "", 401, "invalid_client"),
        ("grant_type=client_credentials", "a:wrong", 401, "invalid_client"),
        ("grant_type=client_credentials", "nocolon", 400, "invalid_request"),
        ("grant_type=client_credentials&client_id=a&client_secret=s", "a:s", 400, "invalid_request"),
        ("grant_type=client_credentials&client_id=a&client_secret=wrong", "", 401, "invalid_client"),
    ])
    func `OAuth refuses as RFC 6749 says`(body: String, credentials: String, status: Int, error: String) throws {
        var bench = ProviderBench(Settings(applications: ["a": "s"]))
        let request = Request(
            .post, path: "/oauth2/token", fields: credentials.isEmpty ? Fields() : basic(credentials),
            body: Array(body.utf8))
        let response = try #require(bench.send(request).response)
        #expect(response.status.code == status)
        #expect(try Value(parsing: response.body)["error"] == .string(error))
        #expect((response.fields[.wwwAuthenticate] != nil) == (status == 401))
        #expect(response.fields[.cacheControl] == "no-store")
    }
}
