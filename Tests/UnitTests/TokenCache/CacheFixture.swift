import Clocks
import HTTP
import JSON
import TestKit
import Testing
import TokenCache

/// The cache in front of a server that a test scripts, with a clock that stands still.
class CacheFixture {
    final class Server: HTTP.Client {
        var requests: [ClientRequest] = []
        var limits: [ClientLimits] = []
        var answer: (ClientRequest) throws(ClientError) -> ClientResponse = { _ throws(ClientError) in
            throw .notSent(.connect)
        }
        /// Runs while a request is under way.
        var whileUnderWay: () -> Void = {}

        func send(
            _ request: ClientRequest, limits: ClientLimits, willSend: () -> Bool, didSend: () -> Void
        ) throws(ClientError) -> ClientResponse {
            requests.append(request)
            self.limits.append(limits)
            whileUnderWay()
            return try answer(request)
        }
    }

    let clock = ManualClock()
    let server = Server()
    let memory: Memory
    let service: CacheService

    init() throws {
        memory = Memory(limit: 3, clock: clock)
        service = CacheService(
            memory: memory, places: Places(workers: 12), client: server,
            server: try HTTP.URL(parsing: "http://server.test:8080"), clock: clock)
        server.answer = { _ throws(ClientError) in CacheFixture.token("T") }
    }

    static func token(
        _ token: String, expiresIn: Int64? = 7_000_000, maxAge: Int = 60, staleIfError: Int = 50, tag: String = "1-a"
    ) -> ClientResponse {
        let left = expiresIn.map { String($0) } ?? "null"
        var fields = Fields([
            Field(.contentType, "application/json"), Field(.etag, "W/\"\(tag)\""),
        ])
        fields.append(.cacheControl, "private, max-age=\(maxAge), stale-if-error=\(staleIfError)")
        let body =
            #"{"token":"\#(token)","expires_in":\#(left),"expires_at":null,"source":"database","generation":3,"stale":false}"#
        return ClientResponse(.ok, fields: fields, body: Array(body.utf8))
    }

    func send(
        _ method: HTTP.Method = .get, _ target: String = "/api/token?realm=wx&key=app", key: String? = "k",
        ifNoneMatch: String? = nil, body: String = "", deadline: Duration? = .seconds(10)
    ) throws -> (response: Response, json: JSON.Value) {
        let parts = target.split(separator: "?", maxSplits: 1).map { String($0) }
        var fields = Fields()
        if let key { fields.append(.authorization, "Bearer \(key)") }
        if let ifNoneMatch { fields.append(.ifNoneMatch, ifNoneMatch) }
        let request = Request(
            method, path: parts[0], query: parts.count > 1 ? parts[1] : "", fields: fields, body: Array(body.utf8),
            id: "r", deadline: deadline.map { clock.now() + $0 })
        if let response = memory.respondAtOnce(to: request, at: clock.now()) {
            return (response, (try? JSON.Value(parsing: response.body)) ?? .null)
        }
        guard case .respond(let response) = service.respond(to: request, resuming: nil) else { throw Waits() }
        return (response, (try? JSON.Value(parsing: response.body)) ?? .null)
    }

    struct Waits: Error {}
}
