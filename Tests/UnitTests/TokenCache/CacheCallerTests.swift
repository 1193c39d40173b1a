import Clocks
import HTTP
import JSON
import TestKit
import Testing
import TokenAPI
import TokenCache
import Tokens

/// The cache in front of the real token server: a verdict on one caller is never another's.
@Suite struct CacheCallerTests {
    /// Hands requests to the server, as if they came from the cache function's own address.
    private final class Passage: HTTP.Client {
        let world: World
        private(set) var requests = 0

        init(_ world: World) {
            self.world = world
        }

        func send(
            _ request: ClientRequest, limits: ClientLimits, willSend: () -> Bool, didSend: () -> Void
        ) throws(ClientError) -> ClientResponse {
            requests += 1
            let target = request.url.dropFirst("http://server.test".count).split(separator: "?", maxSplits: 1)
            let passed = Request(
                request.method, path: String(target[0]), query: target.count > 1 ? String(target[1]) : "",
                fields: request.fields, body: request.body, id: "inner", sourceAddress: "10.0.0.1")
            guard case .respond(let response) = world.service.respond(to: passed, resuming: nil) else {
                throw .notSent(.connect)
            }
            return ClientResponse(response.status, fields: response.fields, body: response.body)
        }
    }

    private let world: World
    private let passage: Passage
    private let memory: Memory
    private let service: CacheService

    init() throws {
        world = try World.withKeys([World.token("T")], ["TRUSTED_PROXIES": "10.0.0.1"])
        try world.registerAsAdministrator("a")
        passage = Passage(world)
        memory = Memory(clock: world.clock)
        service = CacheService(
            memory: memory, places: Places(workers: 12), client: passage,
            server: try HTTP.URL(parsing: "http://server.test"), clock: world.clock)
    }

    private func ask(_ key: String?, realm: String = "a", from address: String = "203.0.113.9") throws -> Response {
        var request = Request(
            .get, path: "/api/token", query: "realm=\(realm)&key=app", id: "outer", sourceAddress: address)
        request.fields[.authorization] = key.map { "Bearer \($0)" }
        if let response = memory.respondAtOnce(to: request, at: world.clock.now()) { return response }
        guard case .respond(let response) = service.respond(to: request, resuming: nil) else { throw Waits() }
        return response
    }

    private struct Waits: Error {}

    private func source(_ response: Response) -> String? {
        (try? JSON.Value(parsing: response.body))?["source"]?.string
    }

    @Test func `a 401, 403 or 404 is its caller's alone, and so is a token`() throws {
        let reader = try world.makeKey(#"{"role":"reader","realms":["a"]}"#).key
        let stranger = try world.makeKey(#"{"role":"reader","realms":["b"]}"#).key
        let elsewhere = try world.makeKey(#"{"role":"reader","ip":["198.51.100.1"]}"#).key
        let wrong = String(reader.dropLast()) + (reader.hasSuffix("0") ? "1" : "0")
        let callers: [(key: String?, status: Int)] = [
            (wrong, 401), (nil, 401), (stranger, 404), (elsewhere, 403), (reader, 200), (World.key, 200),
        ]
        for turn in [callers, callers.reversed(), callers] {
            for caller in turn {
                let answer = try ask(caller.key)
                #expect(answer.status.code == caller.status)
                #expect((source(answer) != nil) == (caller.status == 200))
            }
        }
        // What is kept is given: those two are asked for once each.
        #expect(source(try ask(reader)) == "memory")
        #expect(source(try ask(World.key)) == "memory")
    }

    @Test func `a key that is revoked stops within a minute`() throws {
        let reader = try world.makeKey(#"{"role":"reader"}"#)
        #expect(try ask(reader.key).status == .ok)
        _ = try world.send(.delete, "/api/key/\(reader.id)", as: World.key)
        // Within the minute the cache may not know; that it still answers shows that the test looks at a kept answer.
        world.clock.advance(by: .milliseconds(59_900))
        #expect(source(try ask(reader.key)) == "memory")
        world.clock.advance(by: .milliseconds(100))
        #expect(try ask(reader.key).status == .unauthorized)
    }

    @Test func `a key for one address is not answered at another from memory`() throws {
        let bound = try world.makeKey(#"{"role":"reader","ip":["203.0.113.9"]}"#).key
        for _ in 0..<3 {
            #expect(try ask(bound, from: "203.0.113.9").status == .ok)
            #expect(try ask(bound, from: "203.0.113.10").status == .forbidden)
        }
        #expect(source(try ask(bound, from: "203.0.113.9")) == "memory")
        // The first word on such a key may as well be the refusal.
        let other = try world.makeKey(#"{"role":"reader","ip":["203.0.113.9"]}"#).key
        #expect(try ask(other, from: "203.0.113.10").status == .forbidden)
        #expect(try ask(other, from: "203.0.113.9").status == .ok)
        #expect(try ask(other, from: "203.0.113.10").status == .forbidden)
    }

    @Test func `a key for any address is answered everywhere from one memory`() throws {
        let reader = try world.makeKey(#"{"role":"reader"}"#).key
        _ = try ask(reader, from: "203.0.113.9")
        let before = passage.requests
        #expect(source(try ask(reader, from: "203.0.113.10")) == "memory")
        #expect(passage.requests == before)
    }
}
