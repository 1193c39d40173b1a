import Crypto
import Foundation
import Glibc
import HTTP
import HTTPServer
import JSON
import Locks
import Storage
import Testing

/// One process with several loops, as Lambda's managed instances run it: it asks for as many events as it has loops.
@Suite(.serialized) struct ManagedInstanceTests {
    @Test func `so many loops as the platform names work side by side, and one upstream call serves all`() throws {
        try ManagedInstance.run(loops: 4) { instance, provider in
            let first = try instance.answer(to: "GET", "/api/token?realm=wx&key=other")
            #expect(first.json["source"] == "upstream")
            #expect(instance.idle(atLeast: 4) == 4)
            provider.close()
            let slow = try (0..<3).map { _ in try instance.send("GET", "/api/token?realm=wx&key=app") }
            // The fourth loop goes on alone, and no loop takes two events.
            for _ in 0..<20 {
                let hit = try instance.answer(to: "GET", "/api/token?realm=wx&key=other")
                #expect(hit.json["source"] == "database")
            }
            #expect(slow.allSatisfy { instance.platform.answers[$0] == nil })
            #expect(instance.idle(atLeast: 1) == 1)
            provider.open()
            let tokens = try slow.map { try instance.wait(for: $0).json["token"] }
            #expect(tokens.allSatisfy { $0?.string != nil && $0 == tokens[0] })
            #expect(instance.idle(atLeast: 4) == 4)
            #expect(provider.calls == 2)
        }
    }

    @Test func `without the variable there is one loop`() throws {
        try ManagedInstance.run(loops: nil) { instance, _ in
            for _ in 0..<3 {
                let pong = try instance.answer(to: "GET", "/pong")
                #expect(pong.status == 200)
            }
            #expect(instance.idle(atLeast: 1) == 1)
        }
    }

    @Test func `SIGTERM ends every loop, whatever is in flight`() throws {
        try ManagedInstance.run(loops: 4) { instance, provider in
            #expect(instance.idle(atLeast: 4) == 4)
            provider.close()
            let waiting = try instance.send("GET", "/api/token?realm=wx&key=app")
            #expect(wait { provider.calls == 1 })
            kill(instance.process.pid, SIGTERM)
            #expect(wait { !instance.process.isRunning })
            // It did not stay for the call, which would have been answered for in the end.
            #expect(instance.platform.answers[waiting] == nil)
            provider.open()
        }
    }
}

/// `token-server` behind a Runtime API that hands out an event for every question.
private struct ManagedInstance {
    let process: ProcessSession
    let platform: ManagedPlatform

    static func run(loops: Int?, _ body: (ManagedInstance, GatedProvider) throws -> Void) throws {
        let provider = try GatedProvider()
        defer { provider.stop() }
        let database = try Driver.sqlite.migratedDatabase()
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let platform = ManagedPlatform()
        let server = try platform.serve()
        var environment = [
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:\(server.port)", "AUTH": "none", "DATABASE_URL": database.url,
            "MASTER_KEYS": MasterKeys.text("test"),
        ].merging(provider.environment) { $1 }
        environment["AWS_LAMBDA_MAX_CONCURRENCY"] = loops.map(String.init)
        let process = try ProcessSession(
            LocalPlatform.products.appending(path: "token-server").path(), [], environment: environment,
            output: folder + "/output")
        defer { _ = process.stop() }
        let instance = ManagedInstance(process: process, platform: platform)
        let realm = ServingFunction.realm(asking: provider.url, policy: ServingFunction.patientPolicy)
        let stored = try instance.answer(to: "POST", "/api/realm", realm)
        #expect(stored.status == 200)
        for key in ["app", "other"] {
            let secret = #"{"realm": "wx", "key": "\#(key)", "key_1": "\#(key)"}"#
            let stored = try instance.answer(to: "POST", "/api/secret", secret)
            #expect(stored.status == 200)
        }
        try body(instance, provider)
    }

    struct Answer {
        let status: Int64?
        let json: JSON.Value
    }

    /// Hands an HTTP event to whichever loop asks; answers its id.
    func send(_ method: String, _ target: String, _ body: String = "") throws -> String {
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        let event: JSON.Value = [
            "version": "2.0", "routeKey": "$default", "rawPath": .string(parts[0]),
            "rawQueryString": .string(parts.count > 1 ? parts[1] : ""),
            "headers": ["content-type": "application/json"], "body": .string(body), "isBase64Encoded": false,
            "requestContext": [
                "requestId": "g",
                "http": ["method": .string(method), "path": .string(parts[0]), "sourceIp": "127.0.0.1"],
            ],
        ]
        return platform.hand(event.encoded)
    }

    func wait(for id: String) throws -> Answer {
        IntegrationTests.wait { platform.answers[id] != nil || !process.isRunning }
        guard let body = platform.answers[id] else {
            throw LocalPlatform.Failure(description: "no answer to \(id): \(process.output)")
        }
        let value = try JSON.Value(parsing: body)
        let text = value["body"]?.string ?? "null"
        return Answer(
            status: value["statusCode"]?.number?.integer,
            json: (try? JSON.Value(parsing: Array(text.utf8))) ?? .null)
    }

    func answer(to method: String, _ target: String, _ body: String = "") throws -> Answer {
        try wait(for: send(method, target, body))
    }

    /// How many loops ask for an event, once so many do.
    func idle(atLeast count: Int) -> Int {
        IntegrationTests.wait { platform.idle >= count }
        return platform.idle
    }
}

/// The Runtime API of a managed instance: several questions for an event at once, each answered by another one.
private final class ManagedPlatform: Sendable {
    private struct State: Sendable {
        var idle: [Exchange] = []
        var queue: [(id: String, event: [UInt8])] = []
        var answers: [String: [UInt8]] = [:]
        var count = 0
    }

    private let state = Lock(State())

    var idle: Int { state.withLock { $0.idle.count } }
    var answers: [String: [UInt8]] { state.withLock { $0.answers } }

    func serve() throws -> Server {
        try Server(Server.Configuration(idleTimeout: .seconds(3_600))) { exchange in
            let path = exchange.request.path.split(separator: "/")
            switch path.last {
            case "next":
                let next = self.state.withLock { state -> (id: String, event: [UInt8])? in
                    if state.queue.isEmpty {
                        state.idle.append(exchange)
                        return nil
                    }
                    return state.queue.removeFirst()
                }
                if let next { exchange.respond(Self.response(next.id, next.event)) }
            case "response":
                self.state.withLock { $0.answers[String(path[path.count - 2])] = exchange.request.body }
                exchange.respond(Response(.accepted, json: ["status": "OK"]))
            default: exchange.respond(Response(.accepted, json: ["status": "OK"]))
            }
        }
    }

    func hand(_ event: [UInt8]) -> String {
        let (id, exchange) = state.withLock { state -> (String, Exchange?) in
            state.count += 1
            let id = "event-\(state.count)"
            if state.idle.isEmpty {
                state.queue.append((id: id, event: event))
                return (id, nil)
            }
            return (id, state.idle.removeFirst())
        }
        exchange?.respond(Self.response(id, event))
        return id
    }

    private static func response(_ id: String, _ event: [UInt8]) -> Response {
        var response = Response(.ok, body: event)
        let deadline = Int64(Date().timeIntervalSince1970 * 1_000) + 120_000
        for (name, value) in [
            ("lambda-runtime-aws-request-id", id), ("lambda-runtime-deadline-ms", "\(deadline)"),
        ] {
            if let name = Field.Name(name) { response.fields.append(name, value) }
        }
        return response
    }
}
