import Foundation
import HTTP
import HTTPServer
import JSON
import Locks
import Testing

/// Functions whose workers wait for something that hangs, on Function Compute.
@Suite(.serialized) struct HeldWorkerTests {
    @Test func `while the database hangs and every worker is held, the health check is answered`() throws {
        let server = try MariaDBServer()
        let database = try TestDatabase(url: try server.freshDatabase()).migrated()
        try ServingFunction.withServer(database: database.url, ["FUNCTION_TIMEOUT_MS": "15000"]) { function, _ in
            server.sigstop()
            defer { server.sigcont() }
            let statuses = Lock<[Int]>([])
            // More than there are workers and places in the queue: who is refused shows that all of them are taken.
            Thread.detachNewThread {
                concurrently(300) { _ in
                    let answer = try? function.send("GET", "/api/token?realm=wx&key=app")
                    statuses.withLock { $0.append(answer?.status ?? 0) }
                }
            }
            #expect(wait { statuses.withLock { $0.contains(429) } })
            for path in ["/healthz", "/pong"] {
                let alive = try function.send("GET", path, fields: [(name: "x-fc-request-id", value: "id" + path)])
                #expect(alive.status == 200)
                #expect(alive["x-request-id"] == "id" + path)
                let head = try function.send("HEAD", path)
                #expect(head.status == 200)
                #expect(head.text.isEmpty)
                #expect(function.lines.contains { $0["route"] == .string(path) && $0["status"] == 200 })
            }
            // It asks the database; on a machine that is so slow that the first calls of it are given up by now, it finds a place.
            #expect([429, 503].contains(try function.send("GET", "/readyz").status))
            server.sigcont()
            #expect(wait { statuses.withLock { $0.count } == 300 })
            #expect(Set(statuses.withLock { $0 }).isSubset(of: [200, 429, 503]))
        }
    }

    @Test func `four calls of a realm that hangs are under way, others are answered, the parked ones go on`() throws {
        let backend = try HangingRealm()
        let settings = ["TOKEN_SERVER_URL": backend.url, "FUNCTION_TIMEOUT_MS": "60000"]
        try ServingFunction.run("token-server-cache", settings) { cache in
            let statuses = Lock<[Int]>([])
            Thread.detachNewThread {
                // Each of another key, so that none waits for another's answer.
                concurrently(10) { number in
                    let answer = try? cache.send("GET", "/api/token?realm=hangs&key=\(number)")
                    statuses.withLock { $0.append(answer?.status ?? 0) }
                }
            }
            #expect(wait { backend.held >= 4 })
            // Every answer is a worker that has had time for whatever else waits.
            for number in 0..<40 {
                let token = try cache.send("GET", "/api/token?realm=other&key=\(number)")
                #expect(token.status == 200)
                let passed = try cache.send("GET", "/api/realm/other")
                #expect(passed.status == 200)
            }
            #expect(backend.held == 4)
            #expect(statuses.withLock { $0 } == [])
            backend.release()
            wait { statuses.withLock { $0.count } == 10 }
            #expect(statuses.withLock { $0 } == [Int](repeating: 200, count: 10))
        }
    }
}

/// A token server that holds what it is asked about the realm `hangs` until it is let go.
private final class HangingRealm: Sendable {
    private struct State: Sendable {
        var held: [Exchange] = []
        var isReleased = false
    }

    private let state: Lock<State>
    private let server: Server

    init() throws {
        let state = Lock(State())
        self.state = state
        server = try Server(Server.Configuration()) { exchange in
            let isHeld = state.withLock { state in
                guard exchange.request.query.contains("realm=hangs"), !state.isReleased else { return false }
                state.held.append(exchange)
                return true
            }
            if !isHeld { exchange.respond(HangingRealm.token) }
        }
    }

    var url: String { "http://127.0.0.1:\(server.port)" }
    /// How many requests of the realm have come, and not been answered at once.
    var held: Int { state.withLock { $0.held.count } }

    func release() {
        let held = state.withLock { state in
            state.isReleased = true
            return state.held
        }
        for exchange in held { exchange.respond(HangingRealm.token) }
    }

    private static let token = Response(.ok, json: ["token": "T", "expires_in": 7_000_000, "source": "database"])
}
