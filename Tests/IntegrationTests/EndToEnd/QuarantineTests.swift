import Crypto
import Foundation
import JSON
import SQL
import Testing

/// A secret that does not open, as its callers, its administrators and its operators see it.
@Suite(.serialized) struct QuarantineTests {
    private static func checks(_ function: ServingFunction) throws -> (status: Int, keys: String) {
        let answer = try function.send("GET", "/readyz")
        return (answer.status, try answer.json()["checks"]?["keys"]?.string ?? "")
    }

    @Test(arguments: Driver.allCases)
    func `it is refused clearly, reported everywhere, harms nobody else, and is healed by entering it again`(
        _ driver: Driver
    ) throws {
        let database = try driver.migratedDatabase()
        try ServingFunction.withServer(database: database.url) { function, _ in
            let connection = try database.connection()
            defer { connection.close() }
            #expect(try function.send("GET", "/api/token?realm=wx&key=app").status == 200)
            try connection.execute("UPDATE secret SET credentials = 'canary' WHERE `key` = 'app'")
            try connection.execute("UPDATE token SET token = 'canary' WHERE `key` = 'app'")

            for _ in 0..<2 {
                let refused = try function.send("GET", "/api/token?realm=wx&key=app")
                #expect(refused.status == 409)
                let problem = try refused.json()
                #expect(problem["type"] == "/problems/secret-quarantined")
                #expect(problem["detail"]?.string?.contains("key app in realm wx") == true, "\(refused.text)")
                #expect(!refused.text.contains("canary"))
            }
            #expect(try function.send("GET", "/api/token?realm=wx&key=other").status == 200)
            #expect(try Self.checks(function) == (200, "secrets quarantined: 1; token-server-admin rekey lists them"))
            let lines = function.lines.filter { $0["event"] == "quarantine" }
            #expect(
                lines.contains { $0["column"] == "secret.credentials" && $0["key"] == "app" && $0["realm"] == "wx" })
            #expect(lines.contains { $0["column"] == "token.token" && $0["reason"] == "not authentic" })
            #expect(!function.process.output.contains("canary"))
            #expect(try function.send("GET", "/api/secret/wx/app").json()["quarantined"] == true)
            #expect(try function.send("GET", "/api/secret").json()["data"]?["total"] == 2)

            let entered = try function.send(
                "POST", "/api/secret", json: #"{"realm": "wx", "key": "app", "key_1": "app"}"#)
            #expect(entered.status == 200)
            #expect(try entered.json()["quarantined"] == nil)
            #expect(try function.send("GET", "/api/token?realm=wx&key=app").status == 200)
            #expect(try Self.checks(function) == (200, "ok"))
        }
    }

    @Test(arguments: Driver.allCases)
    func `an API key that was changed in the database opens nothing, and one line says so`(_ driver: Driver) throws {
        let database = try driver.migratedDatabase()
        let digest = try SHA256.hexDigest(Array("an administrator's key".utf8))
        let environment = ["DATABASE_URL": database.url, "AUTH": "keys", "ADMIN_KEY_SHA256": digest]
        try ServingFunction.run("token-server", environment) { function in
            let connection = try database.connection()
            defer { connection.close() }
            func send(_ method: String, _ path: String, as key: String, json: String? = nil) throws -> Answer {
                let fields = [(name: "Authorization", value: "Bearer \(key)")]
                return try function.send(method, path, fields: fields, json: json)
            }
            let made = try send("POST", "/api/key", as: "an administrator's key", json: #"{"role": "reader"}"#)
            let key = try #require(try made.json()["key"]?.string)
            let id = try #require(try made.json()["id"]?.string)
            #expect(try send("GET", "/api/realm", as: key).status == 403)
            try connection.execute("UPDATE api_key SET role = 'admin'")
            #expect(try send("GET", "/api/realm", as: key).status == 401)
            let lines = function.lines.filter { $0["event"] == "quarantine" }
            #expect(lines.count == 1)
            #expect(lines.first?["column"] == "api_key.signature")
            #expect(lines.first?["key"] == .string(id))
            #expect(lines.first?["reason"] == "not authentic")
            let listed = try send("GET", "/api/key/\(id)", as: "an administrator's key")
            #expect(try listed.json()["quarantined"] == true)
            try connection.execute("UPDATE api_key SET role = 'reader'")
            #expect(try send("GET", "/api/realm", as: key).status == 403)
        }
    }

    @Test func `with none of the keys that sealed what is stored a server is not ready, and says so`() throws {
        let database = try Driver.sqlite.migratedDatabase()
        try ServingFunction.withServer(database: database.url) { function, _ in
            let checks = try Self.checks(function)
            #expect(checks == (200, "ok"))
        }
        let environment = ["DATABASE_URL": database.url, "MASTER_KEYS": MasterKeys.text("another")]
        try ServingFunction.run("token-server", environment) { function in
            let checks = try Self.checks(function)
            #expect(checks.status == 503)
            #expect(
                checks.keys
                    == "secrets sealed with keys that MASTER_KEYS lacks: 2 (test); token-server-admin rekey lists them")
            #expect(try function.send("GET", "/healthz").status == 200)
        }
    }

    @Test func `a function writes no core dump, whatever it was started with`() throws {
        let shell = "ulimit -c unlimited 2>/dev/null; exec \"$0\""
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for program in ["token-server", "token-server-cache"] {
            let process = try ProcessSession(
                "/bin/sh", ["-c", shell, LocalPlatform.products.appending(path: program).path()],
                environment: [
                    "FC_FUNCTION_NAME": program, "FC_CUSTOM_LISTEN_PORT": "0", "AUTH": "none",
                    "DATABASE_URL": "sqlite:\(folder)/d", "MASTER_KEYS": MasterKeys.text("test"),
                    "TOKEN_SERVER_URL": "http://127.0.0.1:1",
                ], output: "\(folder)/\(program)")
            defer { _ = process.stop() }
            #expect(wait { process.output.contains(#""event":"serving""#) }, "\(process.output)")
            let limits = try String(contentsOfFile: "/proc/\(process.pid)/limits", encoding: .utf8)
            let line = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
            #expect(line?.split(separator: " ").filter { Int($0) != nil } == ["0", "0"], "\(limits)")
        }
    }
}
