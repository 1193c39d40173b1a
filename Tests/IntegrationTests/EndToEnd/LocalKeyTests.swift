import Crypto
import Foundation
import JSON
import SQL
import Testing

/// The master key of the local platform, which a newcomer never sees.
@Suite(.serialized) struct LocalKeyTests {
    /// Runs the platform on a data folder that stays, until `body` has seen it ready.
    private static func run(
        _ data: String, _ environment: [String: String] = [:], _ body: (_ url: String, ProcessSession) throws -> Void
    ) throws {
        let programs = LocalPlatform.products.path()
        let settings = ProcessInfo.processInfo.environment.filter { $0.key != "MASTER_KEYS" }
        let process = try ProcessSession(
            programs + "/event-server",
            [
                "run", "--port", "0", "--programs", programs, "--bootstrap", LocalPlatform.bootstrap.path(), "--data",
                data + "/run",
            ], environment: settings.merging(environment) { $1 }, output: data + "/output-\(UUID().uuidString)")
        defer { #expect(process.stop().survivors.isEmpty) }
        try #require(process.waitForLine(beginning: "ready: ", within: 180), "\(process.output)")
        let line = try #require(process.output.split(separator: "\n").first { $0.hasPrefix("ready: ") })
        try body(String(line.dropFirst("ready: ".count)), process)
    }

    private static func store(_ url: String, _ key: String) throws {
        let secret = #"{"realm": "wx", "key": "\#(key)", "key_1": "app"}"#
        #expect(try OneShotHTTP.send("POST", url + "/api/realm", json: #"{"id": "wx"}"#).status == 200)
        #expect(try OneShotHTTP.send("POST", url + "/api/secret", json: secret).status == 200)
        let token = #"{"token": "placed for \#(key)"}"#
        #expect(try OneShotHTTP.send("PUT", url + "/api/secret/wx/\(key)/token", json: token).status == 200)
    }

    private static func token(_ url: String, _ key: String) throws -> String? {
        try OneShotHTTP.send("GET", url + "/api/token?realm=wx&key=\(key)").json()["token"]?.string
    }

    @Test func `it is made once, kept for its owner alone, and opens beside keys that are given`() throws {
        let data = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: data) }
        let file = data + "/run/master-keys"
        try Self.run(data) { url, _ in try Self.store(url, "first") }
        let key = try String(contentsOfFile: file, encoding: .utf8)
        #expect(key.hasPrefix("local:"))
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)

        try Self.run(data) { url, process in
            let first = try Self.token(url, "first")
            #expect(first == "placed for first")
            #expect(!process.output.contains(key.dropFirst("local:".count).prefix(20)))
        }
        try Self.run(data, ["MASTER_KEYS": MasterKeys.text("mine")]) { url, _ in
            try Self.store(url, "second")
            #expect(try Self.token(url, "first") == "placed for first")
            #expect(try Self.token(url, "second") == "placed for second")
        }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == key)
        let connection = try TestDatabase(url: "sqlite:\(data)/run/tokens.db").connection()
        defer { connection.close() }
        let rows = try connection.rows("SELECT sealed_with FROM secret ORDER BY `key`")
        #expect(rows.map(\.values) == [[.text("local")], [.text("mine")]])
        // Without the other key its secret alone is closed.
        try Self.run(data) { url, _ in
            let first = try Self.token(url, "first")
            #expect(first == "placed for first")
            let second = try OneShotHTTP.send("GET", url + "/api/token?realm=wx&key=second")
            #expect(second.status == 409)
        }
    }

    @Test func `a store of which nothing opens is said, and serves what is new`() throws {
        let data = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: data) }
        try Self.run(data, ["MASTER_KEYS": MasterKeys.text("mine")]) { url, _ in try Self.store(url, "first") }
        try Self.run(data) { url, process in
            #expect(process.output.contains("MASTER_KEYS: nothing that is stored opens"))
            try Self.store(url, "second")
            #expect(try Self.token(url, "second") == "placed for second")
        }
    }
}
