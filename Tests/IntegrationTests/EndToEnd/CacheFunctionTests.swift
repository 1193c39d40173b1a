import Foundation
import Glibc
import JSON
import Locks
import Testing

/// `token-server-cache` in front of `token-server`, both as real processes.
@Suite(.serialized) struct CacheFunctionTests {
    private func register(_ platform: LocalPlatform) throws {
        let realm = """
            {"id": "wx", "config": {"url": "\(platform.provider)/cgi-bin/token", "arguments": [
                {"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "$key_2"},
                {"name": "grant_type", "place": "url", "value": "client_credential"}],
             "token_path": "access_token", "expires_in_path": "expires_in"}}
            """
        // Through the cache: what is not a token is passed on.
        #expect(try OneShotHTTP.send("POST", platform.cache + "/api/realm", json: realm).status == 200)
        let secret = #"{"realm": "wx", "key": "app", "key_1": "a", "key_2": "b"}"#
        #expect(try OneShotHTTP.send("POST", platform.cache + "/api/secret", json: secret).status == 200)
    }

    private func token(_ platform: LocalPlatform, _ more: String = "") throws -> JSON.Value {
        let answer = try OneShotHTTP.send("GET", platform.cache + "/api/token?realm=wx&key=app" + more)
        try #require(answer.status == 200, "\(answer.text)")
        return try answer.json()
    }

    @Test func `the first answer is the server's, the next one from memory, and a flush is passed on`() throws {
        try LocalPlatform.run(options: ["--concurrency", "1"]) { platform in
            try register(platform)
            let first = try token(platform)
            #expect(first["source"] == "upstream")
            let second = try token(platform)
            #expect(second["source"] == "memory")
            #expect(second["token"] == first["token"])
            #expect((second["expires_in"]?.number?.integer ?? 0) <= (first["expires_in"]?.number?.integer ?? 0))
            let flushed = try token(platform, "&flush=true")
            #expect(flushed["source"] == "upstream")
            #expect(flushed["token"] != first["token"])
            #expect(try token(platform)["token"] == flushed["token"])
            let head = try OneShotHTTP.send("HEAD", platform.cache + "/api/token?realm=wx&key=app")
            #expect(head.status == 200)
            #expect(head.text.isEmpty)
        }
    }

    @Test(arguments: ["lambda", "fc"])
    func `an error has one id, in field and body, whoever it is from`(cloud: String) throws {
        try LocalPlatform.run(options: ["--platform", cloud]) { platform in
            for target in ["/api/realm/none", "/api/none", "/api/token?realm=none&key=none"] {
                for url in [platform.url, platform.cache] {
                    let refused = try OneShotHTTP.send("GET", url + target)
                    #expect(refused.status == 404)
                    let id = try #require(refused["x-request-id"])
                    #expect(try refused.json()["request_id"]?.string == id, "\(url)\(target)")
                    // The line is written a moment later.
                    let isLogged = wait { platform.process.output.contains("\"request_id\":\"\(id)\"") }
                    #expect(isLogged, "\(url)\(target)")
                }
            }
            #expect(platform.process.output.contains("\"server_request_id\":"))
        }
    }

    @Test func `three hundred callers on eight instances and a dead token are one call of the provider`() throws {
        try LocalPlatform.run(options: ["--concurrency", "8"]) { platform in
            try register(platform)
            let tokens = Lock<Set<String>>([])
            concurrently(300) { _ in
                guard let token = try? token(platform)["token"]?.string else { return }
                tokens.withLock { _ = $0.insert(token) }
            }
            #expect(tokens.withLock { $0.count } == 1)
            let counters = try OneShotHTTP.send("GET", platform.provider + "/_fake-provider/counters").json()
            #expect(counters["calls"] == 1)
        }
    }

    @Test func `the function carries no database`() throws {
        // The same test on the executable: neither SQLite's nor libmariadb's names are in it, and libcurl is not linked.
        let program = LocalPlatform.products.appending(path: "token-server-cache")
        let bytes = try Data(contentsOf: program, options: .alwaysMapped)
        for name in ["libmariadb.so.3", "sqlite3_open_v2", "SQLite format 3"] {
            #expect(bytes.range(of: Data(name.utf8)) == nil, "\(name)")
        }
        #expect(bytes.range(of: Data("libcurl.so.4".utf8)) != nil, "opened on the first miss")
    }
}
