import Foundation
import Glibc
import JSON
import MariaDB
import SQL
import Testing

/// The two functions on a platform that gives them no CPU between requests, as both clouds do.
@Suite(.serialized) struct FreezeTests {
    /// Makes a realm whose answers a cache may keep for so long.
    private func register(_ platform: LocalPlatform, maxAge: Int = 60) throws {
        let realm = """
            {"id": "wx", "policy": {"overlap": \(maxAge + 10), "patience": 10}, "config": {
                "url": "\(platform.provider)/cgi-bin/token", "arguments": [
                    {"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "s"},
                    {"name": "grant_type", "place": "url", "value": "client_credential"}],
                "token_path": "access_token", "expires_in_path": "expires_in"}}
            """
        #expect(try OneShotHTTP.send("POST", platform.url + "/api/realm", json: realm).status == 200)
        let secret = #"{"realm": "wx", "key": "app", "key_1": "a"}"#
        #expect(try OneShotHTTP.send("POST", platform.url + "/api/secret", json: secret).status == 200)
    }

    private func token(_ url: String, _ more: String = "") throws -> JSON.Value {
        let answer = try OneShotHTTP.send("GET", url + "/api/token?realm=wx&key=app" + more)
        try #require(answer.status == 200, "\(answer.text)")
        return try answer.json()
    }

    /// The processes of one function, all of them stopped.
    private func frozen(_ name: String, of platform: LocalPlatform) -> [pid_t] {
        let members = platform.process.members.filter { member in
            (try? String(contentsOfFile: "/proc/\(member)/comm", encoding: .utf8)) == name.prefix(15) + "\n"
        }
        return members.filter { FrozenProcess.waits(for: $0) }
    }

    @Test(arguments: ["lambda", "fc"])
    func `after a freeze longer than its answers may be kept the cache asks the server`(cloud: String) throws {
        try LocalPlatform.run(options: ["--platform", cloud, "--freeze", "--concurrency", "1"]) { platform in
            try register(platform, maxAge: 3)
            let first = try token(platform.cache)
            // On a busy machine an answer may be too old for the next call: then that one fetches it anew.
            var again = first
            #expect(
                try wait {
                    again = try token(platform.cache)
                    return again["source"] == "memory"
                })
            #expect(again["token"] == first["token"])
            #expect(frozen("token-server-cache", of: platform).count == 1)
            // While it is stopped the token is replaced, and its time for answering from memory ends.
            let flushed = try token(platform.url, "&flush=true")
            #expect(flushed["token"] != first["token"])
            Thread.sleep(forTimeInterval: 3.2)
            #expect(frozen("token-server-cache", of: platform).count == 1)
            let thawed = try token(platform.cache)
            #expect(thawed["source"] == "database")
            #expect(thawed["token"] == flushed["token"])
        }
    }

    @Test(arguments: ["lambda", "fc"])
    func `what the cache says of a token's life counts the time of a freeze`(cloud: String) throws {
        try LocalPlatform.run(options: ["--platform", cloud, "--freeze", "--concurrency", "1"]) { platform in
            try register(platform)
            let first = try token(platform.cache)
            #expect(frozen("token-server-cache", of: platform).count == 1)
            Thread.sleep(forTimeInterval: 1.5)
            let later = try token(platform.cache)
            #expect(later["source"] == "memory")
            let (before, after) = (first["expires_in"]?.number?.integer, later["expires_in"]?.number?.integer)
            #expect(try #require(before) - #require(after) >= 1_500)
        }
    }

    @Test(arguments: ["lambda", "fc"])
    func `a database connection that is closed during a freeze is opened anew`(cloud: String) throws {
        let server = try MariaDBServer.shared()
        let url = try server.freshDatabase()
        let options = ["--platform", cloud, "--freeze", "--concurrency", "1"]
        try LocalPlatform.run(environment: ["DATABASE_URL": url], options: options) { platform in
            try register(platform)
            let first = try token(platform.url)
            #expect(frozen("token-server", of: platform).count == 1)
            let observer = try server.connection(to: url)
            let others = "FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            let open = try observer.rows(Query(unsafeSQL: "SELECT id \(others)"))
            #expect(!open.isEmpty)
            for row in open { try server.kill(connection: row.integer(0)) }
            let next = try token(platform.url)
            #expect(next["source"] == "database")
            #expect(next["token"] == first["token"])
            let account = try OneShotHTTP.send("GET", platform.url + "/_event-server/invocations").json()
            #expect(account["totals"]?["instances_started"] == 1)
        }
    }
}
