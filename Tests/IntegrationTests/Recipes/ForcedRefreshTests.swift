import JSON
import Testing

/// A flush by WeChat's `stable_token`, which gives the same token again unless a refresh is forced, through the whole platform.
@Suite struct ForcedRefreshTests {
    @Test(arguments: [#", "forced": true"#, ""])
    func `a flush gets a new token where the recipe has a form for it, else the same`(forced: String) throws {
        try LocalPlatform.run { platform in
            let realm = """
                {"id": "wx", "policy": {"class": "B", "renew_window": 300}, "config": {
                  "url": "\(platform.provider)/cgi-bin/stable_token", "method": "POST", "arguments": [
                    {"name": "grant_type", "place": "body", "value": "client_credential"},
                    {"name": "appid", "place": "body", "value": "$appid"},
                    {"name": "secret", "place": "body", "value": "$secret"},
                    {"name": "force_refresh", "place": "body", "value": false\(forced)}],
                  "token_path": "access_token", "expires_in_path": "expires_in"}}
                """
            let secret = #"{"realm": "wx", "key": "app", "credentials": {"appid": "a", "secret": "s"}}"#
            for (path, body) in [("realm", realm), ("secret", secret)] {
                let answer = try OneShotHTTP.send("POST", platform.url + "/api/" + path, json: body)
                try #require(answer.status == 200, "\(answer.text)")
            }
            let url = platform.url + "/api/token?realm=wx&key=app"
            let first = try OneShotHTTP.send("GET", url).json()
            try #require(first["token"]?.string != nil, "\(first.text)")
            let flushed = try OneShotHTTP.send("GET", url + "&flush=true").json()
            #expect((flushed["token"] == first["token"]) == forced.isEmpty)
            #expect(flushed["generation"] == (forced.isEmpty ? 1 : 2))
        }
    }
}
