import Crypto
import Foundation
import Glibc
import JSON
import Storage
import Testing

/// A function that serves HTTP itself, as Function Compute runs it: its process, and where it listens.
struct ServingFunction {
    let port: UInt16
    let process: ProcessSession

    var url: String { "http://127.0.0.1:\(port)" }

    /// Starts the function on any free port with `AUTH=none`, unless `environment` says otherwise, and waits until it serves.
    ///
    /// - Parameters:
    ///   - environment: an empty value takes a variable away.
    ///   - folder: takes what it prints.
    static func start(_ program: String, _ environment: [String: String], folder: String) throws -> ServingFunction {
        var settings = [
            "FC_FUNCTION_NAME": program, "FC_CUSTOM_LISTEN_PORT": "0", "AUTH": "none",
            "MASTER_KEYS": MasterKeys.text("test"),
        ]
        settings.merge(environment) { _, new in new }
        let process = try ProcessSession(
            LocalPlatform.products.appending(path: program).path(), [],
            environment: settings.filter { !$0.value.isEmpty }, output: folder + "/\(UUID().uuidString)")
        var port: UInt16?
        wait {
            let hasEnded = !process.isRunning
            let line = lines(of: process).first { $0["event"] == "serving" }
            port = line?["port"]?.number?.integer.flatMap { UInt16(exactly: $0) }
            return port != nil || hasEnded
        }
        guard let port else {
            _ = process.stop()
            throw LocalPlatform.Failure(description: process.output)
        }
        return ServingFunction(port: port, process: process)
    }

    /// Starts the function, calls `body`, and ends it by SIGTERM.
    static func run(
        _ program: String, _ environment: [String: String], _ body: (ServingFunction) throws -> Void
    ) throws {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let function = try start(program, environment, folder: folder)
        defer {
            let end = function.process.stop()
            #expect(end.status == 0, "\(function.process.output)")
            #expect(end.survivors.isEmpty)
        }
        try body(function)
    }

    /// `token-server` with a realm `wx` at a fake provider, and its secrets `app` and `other`.
    static func withServer(
        database: String? = nil, _ more: [String: String] = [:],
        _ body: (ServingFunction, FakeProviderProcess) throws -> Void
    ) throws {
        let provider = try FakeProviderProcess()
        defer { _ = provider.session.stop() }
        let environment = ["UPSTREAM_ALLOW": "127.0.0.1:\(provider.port)"].merging(more) { _, new in new }
        let url = "http://127.0.0.1:\(provider.port)/cgi-bin/token"
        try withServer(database, asking: url, environment) { try body($0, provider) }
    }

    /// The same at a provider whose answers the test holds back; a call of it may take 15 s, and a request a minute.
    static func withGatedServer(_ body: (ServingFunction, GatedProvider) throws -> Void) throws {
        let provider = try GatedProvider()
        defer { provider.stop() }
        let environment = provider.environment.merging(["FUNCTION_TIMEOUT_MS": "60000"]) { _, new in new }
        try withServer(nil, asking: provider.url, policy: patientPolicy, environment) { try body($0, provider) }
    }

    private static func withServer(
        _ database: String?, asking url: String, policy: String = "{}", _ more: [String: String],
        _ body: (ServingFunction) throws -> Void
    ) throws {
        // It must outlive the function.
        let scratch = database == nil ? try Driver.sqlite.migratedDatabase() : nil
        var environment = more
        if let database = database ?? scratch?.url { environment["DATABASE_URL"] = database }
        try run("token-server", environment) { function in
            let realm = realm(asking: url, policy: policy)
            #expect(try function.send("POST", "/api/realm", json: realm).status == 200)
            for key in ["app", "other"] {
                let secret = #"{"realm": "wx", "key": "\#(key)", "key_1": "\#(key)"}"#
                #expect(try function.send("POST", "/api/secret", json: secret).status == 200)
            }
            try body(function)
        }
    }

    /// The provider may take as long for an answer as any may.
    static let patientPolicy = #"{"timeout": 15}"#

    /// The realm `wx`.
    static func realm(asking url: String, policy: String) -> String {
        """
        {"id": "wx", "policy": \(policy), "config": {"url": "\(url)", "arguments": [
            {"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "s"},
            {"name": "grant_type", "place": "url", "value": "client_credential"}],
         "token_path": "access_token", "expires_in_path": "expires_in"}}
        """
    }

    func send(
        _ method: String, _ path: String, fields: [(name: String, value: String)] = [], json: String? = nil
    ) throws -> Answer {
        var fields = fields
        if json != nil { fields.append((name: "Content-Type", value: "application/json")) }
        return try OneShotHTTP.send(method, url + path, fields: fields, body: Array((json ?? "").utf8), timeout: 120)
    }

    /// What the platform sends: its control field, and an id.
    func control(_ method: String, _ path: String, id: String = "fc", json: String? = nil) throws -> Answer {
        let fields = [(name: "x-fc-control-path", value: path), (name: "x-fc-request-id", value: id)]
        return try send(method, path, fields: fields, json: json)
    }

    var lines: [JSON.Value] { Self.lines(of: process) }

    private static func lines(of process: ProcessSession) -> [JSON.Value] {
        process.output.split(separator: "\n").compactMap { try? JSON.Value(parsing: $0.utf8) }
    }

    var threads: Int { count("task") }
    var descriptors: Int { count("fd") }

    /// What the process has written to of its own, in KiB: `RssAnon` of proc(5).
    var ownMemory: Int {
        get throws {
            let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
            return try #require(line?.split(separator: " ").dropLast().last.flatMap { Int($0) }, "\(status)")
        }
    }

    private func count(_ folder: String) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/\(folder)"))?.count ?? 0
    }
}
