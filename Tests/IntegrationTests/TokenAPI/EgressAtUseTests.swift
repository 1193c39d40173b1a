import Clocks
import Curl
import Foundation
import HTTP
import JSON
import Log
import Recipes
import TestKit
import Testing
import TokenAPI
import Tokens

/// A realm's URL that leads inside, by name or by redirect; the whole API over the real client.
@Suite struct EgressAtUseTests {
    private final class Server {
        let client: CurlClient
        let service: TokenService

        init(allow: String, pinned: [String]) throws {
            let environment = ["AUTH": "none", "UPSTREAM_ALLOW": allow]
            let settings = try Settings(environment: { environment[$0] })
            let egress = settings.egress
            client = CurlClient(mayConnect: { egress.permits($0, at: $1) })
            client.pinnedNames = pinned
            let clock = SystemClock()
            service = TokenService(
                store: InMemoryStore(clock: clock), upstream: RecipeUpstream(client: client, egress: egress),
                noticeClient: client, settings: settings, clock: clock, logger: Logger(level: .error, write: { _ in }))
        }

        func send(_ method: HTTP.Method, _ path: String, query: String = "", _ body: String = "") throws -> Response {
            var request = Request(method, path: path, query: query, body: Array(body.utf8), id: "1")
            if !body.isEmpty { request.fields[.contentType] = "application/json" }
            guard case .respond(let response) = service.respond(to: request, resuming: nil) else {
                throw POSIXError(.ETIMEDOUT)
            }
            return response
        }

        func register(_ realm: String) throws {
            try #require(try send(.post, "/api/realm", realm).status == .ok)
            let secret = #"{"realm":"wx","key":"app","key_1":"CANARY"}"#
            try #require(try send(.post, "/api/secret", secret).status == .ok)
        }

        func token() throws -> Response { try send(.get, "/api/token", query: "realm=wx&key=app") }
    }

    private static func recipe(_ url: String) -> String {
        #"{"id":"wx","config":{"url":"\#(url)","arguments":[{"name":"s","place":"url","value":"$key_1"}],"#
            + #""token_path":"t"}}"#
    }

    private static func type(_ response: Response) throws -> JSON.Value? {
        try JSON.Value(parsing: response.body)["type"]
    }

    @Test(arguments: ["config", "logic_code"])
    func `CVE-2026-12798 (LiteLLM): a name that leads inside is a 502, and nothing connects`(place: String) throws {
        let inside = try SocketServer { $0.read() }
        defer { inside.stop() }
        let server = try Server(allow: "", pinned: ["provider.test:\(inside.port):127.0.0.1"])
        let url = "https://provider.test:\(inside.port)/token"
        try server.register(place == "config" ? EgressAtUseTests.recipe(url) : #"{"id":"wx","logic_code":"\#(url)"}"#)
        let response = try server.token()
        #expect(response.status.code == 502)
        #expect(try EgressAtUseTests.type(response) == "/problems/recipe-unusable")
        #expect(inside.connections == 0)
    }

    @Test(arguments: [
        "http://127.0.0.2:PORT/", "//127.0.0.2:PORT/", "https://127.0.0.2:PORT/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/latest/meta-data/", "file:///etc/passwd",
    ])
    func `CVE-2026-12798 (LiteLLM), infisical#5992: a redirect is a 502, and nobody goes there`(location: String) throws
    {
        let inside = try SocketServer(address: 0x7F00_0002) { $0.read() }
        defer { inside.stop() }
        let target = location.replacingOccurrences(of: "PORT", with: "\(inside.port)")
        for status in [301, 302, 303, 307, 308] {
            let provider = try SocketServer { connection in
                connection.read()
                connection.answer("", head: "HTTP/1.1 \(status) Elsewhere\r\nLocation: \(target)\r\n")
            }
            defer { provider.stop() }
            let server = try Server(allow: "127.0.0.1:\(provider.port)", pinned: [])
            try server.register(EgressAtUseTests.recipe("http://127.0.0.1:\(provider.port)/token"))
            let response = try server.token()
            #expect(response.status.code == 502)
            #expect(provider.requests.count == 1)
        }
        #expect(inside.connections == 0)
    }

    @Test func `a notice goes nowhere inside`() throws {
        let inside = try SocketServer { $0.read() }
        defer { inside.stop() }
        let provider = try SocketServer { connection in
            connection.read()
            connection.answer(#"{"t":"T"}"#)
        }
        defer { provider.stop() }
        let server = try Server(
            allow: "127.0.0.1:\(provider.port)", pinned: ["hook.test:\(inside.port):127.0.0.1"])
        try server.register(EgressAtUseTests.recipe("http://127.0.0.1:\(provider.port)/token"))
        let key = String(repeating: "k", count: 32)
        let notices =
            #"{"id":"wx","policy":{"notice_url":"https://hook.test:\#(inside.port)/"},"notice_key":"\#(key)"}"#
        try #require(try server.send(.post, "/api/realm", notices).status == .ok)
        try #require(try server.token().status == .ok)
        let report = try JSON.Value(parsing: server.service.run(Schedule(job: nil, id: "1"), deadline: nil).body)
        #expect(report["undelivered"] == 1)
        #expect(inside.connections == 0)
    }
}
