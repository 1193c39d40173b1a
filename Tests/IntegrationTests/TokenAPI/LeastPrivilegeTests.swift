import Clocks
import Foundation
import HTTP
import JSON
import Log
import MariaDB
import Recipes
import SQL
import Storage
import TestKit
import Testing
import TokenAPI
import Tokens

/// The whole API over an account that may read and write rows, and nothing else.
@Suite struct LeastPrivilegeTests {
    private struct Step {
        let method: HTTP.Method
        let target: String
        var body = ""
        var status = 200

        init(_ method: HTTP.Method, _ target: String, _ body: String = "", _ status: Int = 200) {
            self.method = method
            self.target = target
            self.body = body
            self.status = status
        }
    }

    private static let recipe =
        #"{"url":"https://provider.test/token","token_path":"t","expires_in":7200,"refresh_token_path":"r","#
        + #""arguments":[{"name":"r","place":"url","value":"$refresh_token"}]}"#
    private static let other = recipe.replacing("provider.test", with: "other.test")
    private static let destination =
        "https://other.test#sha256:be4d9e64592d8c32e502dcf81d634870af75dc1eebd5945ad49ebc5f7fe588f7"
    private static let policy =
        #"{"class":"A","concurrency":2,"notice_url":"https://hook.test/"}"#

    private static let steps = [
        Step(.get, "/readyz"),
        Step(
            .post, "/api/realm",
            #"{"id":"wx","config":\#(recipe),"policy":\#(policy),"notice_key":"\#(String(repeating: "k", count: 32))"}"#
        ),
        Step(.post, "/api/secret", #"{"realm":"wx","key":"app","credentials":{"refresh_token":"R1"}}"#),
        Step(.get, "/api/token?realm=wx&key=app"),
        Step(.get, "/api/token?realm=wx&key=app"),
        Step(.get, "/api/token?realm=wx&key=app&flush=true"),
        Step(.put, "/api/token", #"{"realm":"wx","key":"app","now_token":"T1"}"#),
        Step(.get, "/api/realm?keyword=w"), Step(.get, "/api/realm/wx"),
        Step(.get, "/api/secret?realm=wx"), Step(.get, "/api/secret/wx/app"),
        Step(.post, "/api/realm", #"{"id":"wx","config":\#(other),"comment":"moved","discard_token":true}"#),
        Step(.get, "/api/token?realm=wx&key=app", "", 409),
        Step(.post, "/api/realm/wx/confirm", #"{"destination":"\#(destination)"}"#),
        Step(.get, "/api/token?realm=wx&key=app"),
        Step(.post, "/api/realm", #"{"id":"hand"}"#),
        Step(.post, "/api/secret", #"{"realm":"hand","key":"app","key_1":"x"}"#),
        Step(.put, "/api/secret/hand/app/token", #"{"token":"T","expires_in":60000}"#),
        Step(.get, "/api/token?realm=hand&key=app"),
        Step(.post, "/api/key", #"{"role":"reader","realms":["wx"]}"#), Step(.get, "/api/key"),
        Step(.get, "/api/key/ID"), Step(.delete, "/api/key/ID", "", 204), Step(.get, "/pong"), Step(.get, "/healthz"),
        Step(.get, "/api/audit"),
        Step(.delete, "/api/realm/wx", "", 409),
        Step(.delete, "/api/secret/wx/app", "", 204), Step(.delete, "/api/realm/wx", "", 204),
    ]

    @Test func `rows can be read and written by an account without DDL, and that is enough`() throws {
        let server = try MariaDBServer.shared()
        let database = try Driver.mariaDB.migratedDatabase()
        guard case .mysql(let root) = try DatabaseURL(parsing: database.url) else { throw POSIXError(.EINVAL) }
        let name = root.database
        let administrator = try database.connection()
        try administrator.execute(Query(unsafeSQL: "CREATE USER 'run_\(name)'@'localhost' IDENTIFIED BY 'p'"))
        try administrator.execute(
            Query(unsafeSQL: "GRANT SELECT, INSERT, UPDATE, DELETE ON \(name).* TO 'run_\(name)'@'localhost'"))
        let url = server.url(database: name).replacing("root@", with: "run_\(name):p@")
        let connection = try server.connection(to: url)

        let answers = (1...3).map { number in
            ScriptedClient.Answer.success(
                ClientResponse(.ok, body: Array(#"{"t":"T\#(number)","r":"R\#(number + 1)"}"#.utf8)))
        }
        let hook = ScriptedClient(Array(repeating: .success(ClientResponse(.noContent)), count: 10))
        let environment = ["AUTH": "none"]
        let settings = try Settings(environment: { environment[$0] })
        let service = TokenService(
            store: DatabaseStore(connection),
            upstream: RecipeUpstream(client: ScriptedClient(answers), egress: settings.egress), noticeClient: hook,
            settings: settings, clock: SystemClock(), logger: Logger(level: .error, write: { _ in }))
        var missing = Set(Endpoint.router.routes.map(\.endpoint))
        var id = ""
        for step in Self.steps {
            let target = step.target.replacing("ID", with: id)
            let answer = try send(step, target, to: service)
            if case .found(let route, _) = Endpoint.router.match(step.method, path: String(target.prefix { $0 != "?" }))
            {
                missing.remove(route.endpoint)
            }
            if let made = try? JSON.Value(parsing: answer.body)["id"]?.string { id = made }
            #expect(
                answer.status.code == step.status,
                "\(step.method.rawValue) \(step.target): \(String(decoding: answer.body, as: UTF8.self))")
            if step.target == "/api/secret/wx/app", step.method == .get {
                let report = service.run(Schedule(job: nil, id: "1"), deadline: nil)
                #expect(report.status == .ok, "\(String(decoding: report.body, as: UTF8.self))")
            }
        }
        #expect(!hook.requests.isEmpty)
        #expect(missing.isEmpty, "the whole API, and not all of it was asked")

        for statement in ["CREATE TABLE more (a int)", "ALTER TABLE secret ADD COLUMN more int", "DROP TABLE token"] {
            #expect(failure(of: { try connection.execute(Query(unsafeSQL: statement)) })?.code == .accessDenied)
        }
    }

    private func send(_ step: Step, _ target: String, to service: TokenService) throws -> Response {
        let parts = target.split(separator: "?", maxSplits: 1)
        var request = Request(
            step.method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "",
            body: Array(step.body.utf8), id: "1", deadline: SystemClock().now() + .seconds(10))
        if !step.body.isEmpty { request.fields[.contentType] = "application/json" }
        var state: (any Sendable)?
        while true {
            switch service.respond(to: request, resuming: state) {
            case .respond(let response): return response
            case .wait(let delay, let next):
                state = next
                usleep(UInt32(delay / .microseconds(1)))
            }
        }
    }
}
