import Foundation
import HTTP
import JSON
import Testing

/// Refresh tokens that work once, through the whole platform: recipe, store, real processes, a provider that keeps count.
@Suite struct RotatingRefreshTokenTests {
    private struct World {
        let platform: LocalPlatform

        /// - Parameter refreshToken: the first of the line, as an administrator brings it.
        init(_ platform: LocalPlatform, refreshToken: String) throws {
            self.platform = platform
            try post(
                "/api/realm",
                """
                {"id": "crm", "policy": {"class": "G", "gap": 0}, "config": {
                  "url": "\(platform.provider)/oauth2/token", "method": "POST", "content_type": "form", "arguments": [
                    {"name": "grant_type", "place": "body", "value": "refresh_token"},
                    {"name": "client_id", "place": "body", "value": "$client_id"},
                    {"name": "client_secret", "place": "body", "value": "$client_secret"},
                    {"name": "refresh_token", "place": "body", "value": "$refresh_token"}],
                  "token_path": "access_token", "expires_in_path": "expires_in", "refresh_token_path": "refresh_token"}}
                """)
            try store(refreshToken)
        }

        func store(_ refreshToken: String) throws {
            try post(
                "/api/secret",
                """
                {"realm": "crm", "key": "app", "credentials":
                  {"client_id": "a", "client_secret": "s", "refresh_token": "\(refreshToken)"}}
                """)
        }

        func ask(_ more: String = "") throws -> Answer {
            try OneShotHTTP.send("GET", platform.url + "/api/token?realm=crm&key=app\(more)")
        }

        /// A person authorises again at the provider: a new line, and the end of the old one.
        func authorise() throws -> String {
            let path = "/_fake-provider/authorise"
            let answer = try OneShotHTTP.send("POST", platform.provider + path, json: #"{"client_id": "a"}"#)
            return try #require(try answer.json()["refresh_token"]?.string, "\(answer.text)")
        }

        private func post(_ path: String, _ json: String) throws {
            let answer = try OneShotHTTP.send("POST", platform.url + path, json: json)
            try #require(answer.status == 200, "\(answer.text)")
        }
    }

    @Test(arguments: Driver.allCases)
    func `each refresh presents the refresh token of the one before, until a person must come`(
        driver: Driver
    ) throws {
        let url = try driver.database().url
        try LocalPlatform.run(environment: ["DATABASE_URL": url]) { platform in
            let world = try World(platform, refreshToken: "brought")
            var tokens: [JSON.Value?] = [try world.ask().json()["token"]]
            // The provider takes each refresh token once: three more tokens mean three that were kept.
            for generation in 2...4 {
                let answer = try world.ask("&flush=true").json()
                #expect(answer["generation"] == JSON.Value(Int64(generation)))
                #expect(answer["refresh"] == nil)
                tokens.append(answer["token"])
            }
            #expect(Set(tokens.compactMap { $0?.string }).count == 4)

            let anew = try world.authorise()
            let stale = try world.ask("&flush=true")
            #expect(stale.status == 200)
            #expect(try stale.json()["stale"] == true)
            #expect(try stale.json()["token"] == tokens.last)

            // Nothing but the new refresh token helps, and that at once.
            try world.store(anew)
            let mended = try world.ask().json()
            #expect(mended["source"] == "upstream")
            #expect(mended["generation"] == 5)
            let next = try world.ask("&flush=true").json()
            #expect(next["generation"] == 6)
        }
    }

    @Test func `a refresh token that was never good is a refusal that says what to do`() throws {
        try LocalPlatform.run { platform in
            let world = try World(platform, refreshToken: "bad-one")
            let answer = try world.ask()
            #expect(answer.status == 502)
            let problem = try answer.json()
            #expect(problem["type"] == "/problems/provider-refused")
            #expect(problem["provider"]?["code"] == "invalid_grant")
            #expect(problem["detail"]?.string?.contains("authorise again") == true)
            #expect(!answer.text.contains("bad-one"))
        }
    }
}
