import Crypto
import Foundation
import JSON
import MariaDB
import SQL
import Testing

/// The main job on real parts: a person's `curl` commands, real function processes, a real database, a provider that counts.
@Suite(.serialized) struct MainJobTests {
    // MARK: The predecessor's own commands

    private static func realm(_ provider: String) -> String {
        """
        {"id": "wxgzh", "config": {"url": "\(provider)/cgi-bin/token", "method": "GET", "arguments": [
            {"name": "appid", "place": "url", "value": "$key_1"},
            {"name": "secret", "place": "url", "value": "$key_2"},
            {"name": "grant_type", "place": "url", "value": "$key_3"}
        ], "token_path": "access_token", "content_type": "json", "expires_in_path": "expires_in"}}
        """
    }

    private static let secret = """
        {"realm": "wxgzh", "key": "wxgzh_secret", "key_1": "******************", "key_2": "******************",
         "key_3": "client_credential"}
        """

    private func register(_ platform: LocalPlatform) throws {
        #expect(
            try OneShotHTTP.send("POST", platform.url + "/api/realm", json: Self.realm(platform.provider)).status == 200
        )
        #expect(try OneShotHTTP.send("POST", platform.url + "/api/secret", json: Self.secret).status == 200)
    }

    private func token(_ platform: LocalPlatform, _ more: String = "") throws -> JSON.Value {
        let answer = try OneShotHTTP.send("GET", platform.url + "/api/token?realm=wxgzh&key=wxgzh_secret" + more)
        try #require(answer.status == 200, "\(answer.text)")
        return try answer.json()
    }

    private func calls(_ platform: LocalPlatform) throws -> Int64 {
        let counters = try OneShotHTTP.send("GET", platform.provider + "/_fake-provider/counters").json()
        return try #require(counters["calls"]?.number?.integer, "\(counters.text)")
    }

    @Test func `the predecessor's commands give the documented answers, and one upstream call`() throws {
        try LocalPlatform.run { platform in
            let realm = try OneShotHTTP.send("POST", platform.url + "/api/realm", json: Self.realm(platform.provider))
            #expect(realm.status == 200)
            #expect(try realm.json()["id"] == "wxgzh")
            let secret = try OneShotHTTP.send("POST", platform.url + "/api/secret", json: Self.secret)
            #expect(secret.status == 200)
            for name in ["key_1", "key_2", "key_3"] { #expect(try secret.json()[name] == "******") }
            #expect(try secret.json()["key_4"] == nil)

            let first = try token(platform)
            #expect(first["source"] == "upstream")
            #expect((first["expires_in"]?.number?.integer ?? 0) > 7_000_000, "milliseconds")
            let second = try token(platform)
            #expect(second["source"] == "database")
            #expect(second["token"] == first["token"])
            #expect(try calls(platform) == 1)

            let flushed = try token(platform, "&flush=true")
            #expect(flushed["source"] == "upstream")
            #expect(flushed["token"] != first["token"])
            #expect(try calls(platform) == 2)

            let list = try OneShotHTTP.send("GET", platform.url + "/api/realm?page=1&pageSize=10&keyword=wx").json()
            #expect(list["success"] == "ok")
            #expect(list["data"]?["total"] == 1)
            #expect(list["data"]?["list"]?.array?.first?["id"] == "wxgzh")
        }
    }

    @Test func `what is stored survives a restart`() throws {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Each run has a data folder of its own, and would make a key of its own.
        let environment = ["DATABASE_URL": "sqlite:\(folder)/store.db", "MASTER_KEYS": MasterKeys.text("test")]
        var kept: JSON.Value?
        try LocalPlatform.run(environment: environment) { platform in
            try register(platform)
            kept = try token(platform)["token"]
        }
        try LocalPlatform.run(environment: environment) { platform in
            let again = try token(platform)
            #expect(again["source"] == "database")
            #expect(again["token"] == kept)
            #expect(try calls(platform) == 0)
        }
    }

    // MARK: MariaDB

    @Test func `the predecessor's live token is served without an upstream call`() throws {
        let server = try MariaDBServer.shared()
        let url = try server.freshDatabase()
        let connection = try server.connection(to: url)
        for statement in Self.predecessor { try connection.execute(Query(unsafeSQL: statement)) }
        connection.close()
        try LocalPlatform.run(environment: ["DATABASE_URL": url]) { platform in
            let live = try token(platform)
            #expect(live["token"] == "live-token-of-the-predecessor")
            #expect(live["source"] == "database")
            #expect(live["expires_at"] == 4_102_444_800_000)
            #expect(try calls(platform) == 0)
            let secret = try OneShotHTTP.send("GET", platform.url + "/api/secret/wxgzh/wxgzh_secret").json()
            #expect(secret["key_1"] == "******")
        }
    }

    static let predecessor = [
        """
        CREATE TABLE realm (id varchar(50) NOT NULL PRIMARY KEY, config json DEFAULT NULL,
          logic_code varchar(5000) NOT NULL DEFAULT '', comment varchar(5000) NOT NULL DEFAULT '',
          created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
          updated_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)
          DEFAULT CHARSET = utf8 COLLATE = utf8_general_ci
        """,
        """
        CREATE TABLE secret (`key` varchar(200) NOT NULL, realm varchar(50) NOT NULL,
          key_1 varchar(200) NOT NULL DEFAULT '', key_2 varchar(200) NOT NULL DEFAULT '',
          key_3 varchar(200) NOT NULL DEFAULT '', key_4 varchar(200) NOT NULL DEFAULT '',
          key_5 varchar(200) NOT NULL DEFAULT '', created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
          updated_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
          token text, expires_at bigint DEFAULT NULL, PRIMARY KEY (`key`, realm), KEY idx_secret_realm (realm))
          DEFAULT CHARSET = utf8 COLLATE = utf8_general_ci
        """,
        """
        INSERT INTO realm (id, config) VALUES ('wxgzh', '{"url":"https://api.weixin.qq.com/cgi-bin/token","method":"GET",
          "arguments":[{"name":"appid","place":"url","value":"$key_1"}],"token_path":"access_token","content_type":"json",
          "expires_in_path":"expires_in"}')
        """,
        """
        INSERT INTO secret (`key`, realm, key_1, token, expires_at)
          VALUES ('wxgzh_secret', 'wxgzh', 'an-appid', 'live-token-of-the-predecessor', 4102444800000)
        """,
    ]

    @Test func `a database that is killed under load costs 503s, and nothing stored`() throws {
        var options = MariaDBServer.Options()
        options.isDurable = true
        options.usesTCP = true
        let server = try MariaDBServer(options)
        let url = try server.freshDatabase()
        try LocalPlatform.run(environment: ["DATABASE_URL": url]) { platform in
            try register(platform)
            let before = try token(platform)
            let load = Load(url: platform.url + "/api/token?realm=wxgzh&key=wxgzh_secret")
            load.start(threads: 8)
            #expect(load.waitForStatus(200, after: .now))
            server.kill9()
            #expect(load.waitForStatus(503, after: .now), "the database was away")
            try server.restart()
            #expect(load.waitForStatus(200, after: .now), "recovered without a restart of the functions")
            let answers = load.stop()

            #expect(Set(answers.map(\.status)).isSubset(of: [200, 503]))
            let refused = answers.filter { $0.status == 503 }
            for answer in refused {
                #expect(answer["retry-after"] != nil)
                #expect(try answer.json()["type"] == "/problems/database-unavailable")
            }
            let after = try token(platform)
            #expect(after["token"] == before["token"])
            #expect(after["generation"] == before["generation"])
            #expect(try OneShotHTTP.send("GET", platform.url + "/api/realm/wxgzh").status == 200)
            #expect(try OneShotHTTP.send("GET", platform.url + "/api/secret/wxgzh/wxgzh_secret").status == 200)
            #expect(try calls(platform) == 1)
        }
    }

    // MARK: Load

    @Test func `three hundred connections fail no request and leave nothing behind`() throws {
        let requests = ProcessInfo.processInfo.environment["SOAK"] == nil ? 1_000 : 100_000
        try LocalPlatform.run(options: ["--concurrency", "8"]) { platform in
            try register(platform)
            _ = try token(platform)
            for keepAlive in [["-k"], []] {
                let run = try Program.run(
                    "/usr/bin/ab",
                    keepAlive + [
                        "-q", "-l", "-c", "300", "-s", "120", "-n", "\(requests)",
                        platform.url + "/api/token?realm=wxgzh&key=wxgzh_secret",
                    ])
                let text = run.output + run.errors
                #expect(figure("Complete requests:", in: text) == requests, "\(text)")
                #expect(figure("Failed requests:", in: text) == 0, "\(text)")
                #expect(!text.contains("Non-2xx responses"))
            }
            #expect(try calls(platform) == 1)
            let account = try OneShotHTTP.send("GET", platform.url + "/_event-server/invocations").json()
            #expect(account["totals"]?["failures"] == 0)
            #expect((account["totals"]?["instances_alive"]?.number?.integer ?? 99) <= 8)
        }
    }

    private func figure(_ label: String, in text: String) -> Int? {
        guard let range = text.range(of: label) else { return nil }
        return Int(text[range.upperBound...].drop { $0 == " " }.prefix { $0.isNumber })
    }

    // MARK: Settings

    @Test func `with AUTH=keys only the administrator's key opens what is not open to all`() throws {
        try LocalPlatform.run(environment: ["AUTH": "keys", "ADMIN_KEY_SHA256": Self.digestOfKey]) { platform in
            #expect(try OneShotHTTP.send("GET", platform.url + "/pong").status == 200)
            #expect(try OneShotHTTP.send("GET", platform.url + "/healthz").status == 200)
            let refused = try OneShotHTTP.send("GET", platform.url + "/api/realm")
            #expect(refused.status == 401)
            #expect(refused["www-authenticate"]?.hasPrefix("Bearer") == true)
            for (key, status) in [("abc", 200), ("abd", 401)] {
                let fields = [(name: "Authorization", value: "Bearer \(key)")]
                #expect(try OneShotHTTP.send("GET", platform.url + "/api/realm", fields: fields).status == status)
            }
        }
    }

    /// The SHA-256 digest of "abc" (FIPS 180-4, example B.1).
    private static let digestOfKey = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test(
        arguments: [
            ("LOG_LEVEL", "loud"), ("AUTH", "some"), ("MASTER_KEYS", "canary"),
            ("ADMIN_KEY_SHA256", "canary-abc"),
            ("UPSTREAM_ALLOW", "canary host"),
            ("DATABASE_URL", "postgres://u:canary@h/d"), ("TRUSTED_PROXIES", "canary"), ("TOKEN_SERVER_URL", "canary"),
            ("FUNCTION_TIMEOUT_MS", "canary"), ("AUDIT_RETENTION_DAYS", "canary"),
        ], ["lambda", "fc"])
    func `a bad setting is one line that names the variable and shows no secret`(
        setting: (name: String, value: String), platform: String
    ) throws {
        let failure = #expect(throws: LocalPlatform.Failure.self) {
            try withKnownExit(setting.name, setting.value, options: ["--platform", platform])
        }
        let text = try #require(failure?.description)
        #expect(text.hasPrefix("event-server: ") && text.contains(setting.name), "\(text)")
        #expect(text.split(separator: "\n").count == 1, "\(text)")
        #expect(!text.contains("canary"), "\(text)")
    }

    @Test(arguments: ["--throttle", "--queue", "--shape"])
    func `what only Lambda has is refused on Function Compute`(option: String) throws {
        let program = LocalPlatform.products.appending(path: "event-server").path()
        let value = ["--queue": ["5"], "--shape": ["v1"]][option] ?? []
        let words = [option] + value
        let refused = try [
            Program.run(program, ["run", "--platform", "fc"] + words),
            Program.run(program, ["run"] + words, environment: ["PLATFORM": "fc"]),
            Program.run(program, ["serve", "--function", "f", "--bootstrap", "/none", "--platform", "fc"] + words),
        ]
        for ended in refused {
            #expect(ended.status == 2)
            #expect(ended.output.isEmpty)
            #expect(ended.errors == "event-server: \(option) is for --platform lambda\n")
        }
    }

    @Test(arguments: ["lambda", "fc"])
    func `a function that its platform gives credentials is not open by mistake`(platform: String) throws {
        let sign = platform == "lambda" ? "AWS_SESSION_TOKEN" : "ALIBABA_CLOUD_SECURITY_TOKEN"
        let failure = #expect(throws: LocalPlatform.Failure.self) {
            try withKnownExit("AUTH", "none", options: ["--platform", platform, "--env", "\(sign)=canary"])
        }
        let text = try #require(failure?.description)
        #expect(
            text.contains(
                "event-server: a function does not start: AUTH: none is refused in a cloud, which \(sign) shows"),
            "\(text)")
    }

    private func withKnownExit(_ name: String, _ value: String, options: [String] = []) throws {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var environment = ProcessInfo.processInfo.environment
        environment[name] = value
        let process = try ProcessSession(
            LocalPlatform.products.appending(path: "event-server").path(),
            [
                "run", "--port", "0", "--programs", LocalPlatform.products.path(), "--bootstrap",
                LocalPlatform.bootstrap.path(),
                "--data", folder + "/data",
            ] + options,
            environment: environment, output: folder + "/output")
        let isReady = process.waitForLine(beginning: "ready", within: 180)
        let end = process.stop()
        #expect(!isReady)
        #expect(end.status == 1)
        #expect(end.survivors.isEmpty)
        throw LocalPlatform.Failure(description: process.output)
    }
}
