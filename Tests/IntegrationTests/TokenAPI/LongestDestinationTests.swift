import Clocks
import HTTP
import JSON
import Log
import Recipes
import Storage
import TestKit
import Testing
import TokenAPI

/// Columns have lengths, and a strict database refuses what is longer.
@Suite struct LongestDestinationTests {
    /// With the scheme 228 bytes.
    private static let host = String(repeating: String(repeating: "a", count: 50) + ".", count: 4) + "bbbbbbbb.example"

    private static func send(
        _ method: HTTP.Method, _ path: String, _ body: String = "", to service: TokenService
    ) throws -> JSON.Value {
        var request = Request(method, path: path, query: "", body: Array(body.utf8), id: "1")
        if !body.isEmpty { request.fields[.contentType] = "application/json" }
        guard case .respond(let response) = service.respond(to: request, resuming: nil) else {
            Issue.record("\(method) \(path) waits")
            return .null
        }
        try #require(response.status == .ok, "\(String(decoding: response.body, as: UTF8.self))")
        return try JSON.Value(parsing: response.body)
    }

    @Test(arguments: Driver.allCases)
    func `the longest destination is stored, confirmed and written into the audit`(_ driver: Driver) throws {
        let environment = ["AUTH": "none"]
        let settings = try Settings(environment: { environment[$0] })
        let client = ScriptedClient(200, #"{"t":"T"}"#)
        let service = TokenService(
            store: DatabaseStore(try driver.migratedDatabase().connection()),
            upstream: RecipeUpstream(client: client, egress: settings.egress), noticeClient: client, settings: settings,
            clock: SystemClock(), logger: Logger(level: .error, write: { _ in }))
        func lead(to path: String) throws {
            let config = #"{"url":"https://\#(Self.host)\#(path)","token_path":"t"}"#
            _ = try Self.send(.post, "/api/realm", #"{"id":"wx","config":\#(config)}"#, to: service)
        }
        try lead(to: "/one")
        let secret = try Self.send(.post, "/api/secret", #"{"realm":"wx","key":"app","key_1":"a"}"#, to: service)
        #expect(secret["confirmed_for"]?.string?.utf8.count == 300)
        try lead(to: "/two")
        let destination = try #require(try Self.send(.get, "/api/realm/wx", to: service)["destination"]?.string)
        let confirmed = try Self.send(
            .post, "/api/realm/wx/confirm", #"{"destination":"\#(destination)"}"#, to: service)
        #expect(confirmed["confirmed"] == 1)
        #expect(try Self.send(.get, "/api/secret/wx/app", to: service)["confirmed_for"]?.string == destination)
        // The end of it: whose host it is, and the digest.
        let entries = try #require(try Self.send(.get, "/api/audit", to: service)["data"]?["list"]?.array)
        let detail = try #require(entries.first { $0["action"] == "realm.confirm" }?["detail"]?.string)
        #expect(detail.utf8.count == 200 && destination.hasSuffix(detail) && detail.contains(".example#sha256:"))
    }
}
