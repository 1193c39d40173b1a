import Clocks
import HTTP
import JSON
import TestKit
import Testing
import TokenCache

/// What strangers, slow realms and a server that fails may do to the other callers of a cache.
@Suite struct CacheFailureTests {
    private final class Server: HTTP.Client {
        var requests = 0
        /// Runs while a request is under way, with how many are.
        var whileUnderWay: (Int) -> Void = { _ in }
        var failure: Result<ClientResponse, ClientError>?
        private var underWay = 0

        func send(
            _ request: ClientRequest, limits: ClientLimits, willSend: () -> Bool, didSend: () -> Void
        ) throws(ClientError) -> ClientResponse {
            requests += 1
            underWay += 1
            defer { underWay -= 1 }
            whileUnderWay(underWay)
            if let failure { return try failure.get() }
            let fields = Fields([
                Field(.etag, "W/\"1-a\""), Field(.cacheControl, "private, max-age=50, stale-if-error=10"),
            ])
            let body =
                #"{"token":"T","expires_in":7000000,"expires_at":null,"source":"database","generation":3,"stale":false}"#
            return ClientResponse(.ok, fields: fields, body: Array(body.utf8))
        }
    }

    private let clock = ManualClock()
    private let server = Server()
    private let memory: Memory
    private let service: CacheService

    init() throws {
        memory = Memory(clock: clock)
        service = CacheService(
            memory: memory, places: Places(workers: 12), client: server,
            server: try HTTP.URL(parsing: "http://server.test"), clock: clock)
    }

    /// Nil where it is told to wait.
    private func send(
        _ method: HTTP.Method = .get, _ target: String = "/api/token?realm=wx&key=app", key: String?, body: String = ""
    ) -> Response? {
        let parts = target.split(separator: "?", maxSplits: 1).map { String($0) }
        var fields = Fields()
        if let key { fields.append(.authorization, "Bearer \(key)") }
        let request = Request(
            method, path: parts[0], query: parts.count > 1 ? parts[1] : "", fields: fields, body: Array(body.utf8),
            id: "r", deadline: clock.now() + .seconds(10))
        if let response = memory.respondAtOnce(to: request, at: clock.now()) { return response }
        guard case .respond(let response) = service.respond(to: request, resuming: nil) else { return nil }
        return response
    }

    private static let failures: [Result<ClientResponse, ClientError>] = [
        .failure(.notSent(.connect)), .failure(.ambiguous(.timeout)), .success(ClientResponse(.serviceUnavailable)),
        .success(ClientResponse(.badGateway)),
    ]

    // MARK: Strangers

    @Test(arguments: failures, [nil, "guessed"])
    func `while the server fails a stranger drops nothing from memory`(
        failure: Result<ClientResponse, ClientError>, stranger: String?
    ) throws {
        _ = send(key: "k")
        server.failure = failure
        _ = send(.post, "/x", key: stranger)
        _ = send(.delete, "/api/realm/wx", key: stranger)
        _ = send(.put, "/api/token", key: stranger, body: #"{"realm":"wx","key":"app"}"#)
        _ = send(.get, "/api/token?realm=wx&key=app&flush=true", key: stranger)
        _ = send(.get, "/api/token?x=1", key: stranger)
        #expect(server.requests == 6)
        #expect(send(key: "k")?.status == .ok)
        #expect(server.requests == 6)
    }

    @Test(arguments: zip(failures, [2, 3, 3, 3]))
    func `a change by an accepted caller drops the answer unless it was never sent`(
        failure: Result<ClientResponse, ClientError>, requests: Int
    ) throws {
        _ = send(key: "k")
        server.failure = failure
        _ = send(.put, "/api/token", key: "k", body: #"{"realm":"wx","key":"app"}"#)
        server.failure = nil
        _ = send(key: "k")
        #expect(server.requests == requests)
    }

    @Test func `who was accepted long ago is a stranger again, and nobody changes by an unknown route`() throws {
        _ = send(key: "old")
        clock.advance(by: .seconds(900))
        _ = send(key: "k")
        server.failure = .failure(.ambiguous(.timeout))
        _ = send(.put, "/api/token", key: "old", body: #"{"realm":"wx","key":"app"}"#)
        _ = send(.post, "/x", key: "k")
        #expect(server.requests == 4)
        #expect(send(key: "k")?.status == .ok)
        #expect(server.requests == 4)
    }

    // MARK: Slow realms

    @Test func `four calls of a slow realm leave places to the others, and the fifth is parked`() throws {
        var others: [Status?] = []
        server.whileUnderWay = { count in
            guard count <= 4 else { return }
            let next = send(.get, "/api/token?realm=slow&key=\(count)", key: "k")
            guard count == 4 else { return }
            #expect(next == nil)
            #expect(send(.put, "/api/token", key: "k", body: #"{"realm":"slow","key":"a"}"#) == nil)
            others = [
                send(.get, "/api/token?realm=wx&key=app", key: "k")?.status,
                send(.put, "/api/token", key: "k", body: #"{"realm":"wx","key":"app"}"#)?.status,
            ]
        }
        #expect(send(.get, "/api/token?realm=slow&key=0", key: "k")?.status == .ok)
        #expect(others == [.ok, .ok])
        #expect(server.requests == 6)
        // Every place was left again.
        server.whileUnderWay = { _ in }
        #expect(send(.get, "/api/token?realm=slow&key=9", key: "k")?.status == .ok)
    }

    @Test func `eight slow tokens leave places to what is passed on, and eleven calls are all`() throws {
        var passed: [Status?] = []
        server.whileUnderWay = { count in
            if count < 8 { _ = send(.get, "/api/token?realm=slow\(count)&key=a", key: "k") }
            if count == 8 { #expect(send(.get, "/api/token?realm=wx&key=app", key: "k") == nil) }
            if (8...11).contains(count) { passed.append(send(.get, "/api/realm/wx", key: "k")?.status) }
        }
        _ = send(.get, "/api/token?realm=slow&key=a", key: "k")
        #expect(passed == [nil, .ok, .ok, .ok])
        #expect(server.requests == 11)
    }

    @Test(arguments: ["/healthz", "/pong"])
    func `that the process lives is answered without a worker`(path: String) throws {
        for method in [HTTP.Method.get, .head] {
            let request = Request(method, path: path, query: "", id: "r")
            #expect(memory.respondAtOnce(to: request, at: clock.now())?.status == .ok)
        }
        #expect(server.requests == 0)
    }
}
