import Foundation
import Glibc
import JSON
import Locks
import Testing

/// Where the serve loop ends: full, late, told to stop, or spoken to in bad HTTP.
@Suite(.serialized) struct ServeLoopLimitTests {
    /// Serves without a database, which nothing here asks.
    private func withoutDatabase(
        _ environment: [String: String] = [:], _ body: (ServingFunction) throws -> Void
    ) throws {
        var settings = ["DATABASE_URL": "sqlite:/nowhere/database"]
        settings.merge(environment) { _, new in new }
        try ServingFunction.run("token-server", settings, body)
    }

    // MARK: Where it listens

    @Test(arguments: [
        ["FC_CUSTOM_LISTEN_PORT": "0", "FC_SERVER_PORT": "x", "CAPort": "x", "PORT": "x"],
        ["FC_CUSTOM_LISTEN_PORT": "", "FC_SERVER_PORT": "0", "CAPort": "x", "PORT": "x"],
        ["FC_CUSTOM_LISTEN_PORT": "", "CAPort": "0", "PORT": "x"],
        ["FC_CUSTOM_LISTEN_PORT": "", "PORT": "0"],
    ])
    func `the first port variable that is set counts, and no later one is looked at`(ports: [String: String]) throws {
        try withoutDatabase(ports) { function in
            let pong = try function.send("GET", "/pong")
            #expect(try pong.json()["err_code"] == 0)
        }
    }

    @Test func `without keys it listens on one loopback address alone, with keys on every address`() throws {
        // All of 127.0.0.0/8 is this machine's.
        let other: UInt32 = 0x7F00_0002
        try withoutDatabase(["AUTH": "none"]) { function in
            let pong = try function.send("GET", "/pong")
            #expect(pong.status == 200)
            #expect(throws: RawHTTPConnection.Failure.connect) {
                try RawHTTPConnection(port: function.port, address: other)
            }
        }
        try withoutDatabase(["AUTH": ""]) { function in
            let connection = try RawHTTPConnection(port: function.port, address: other)
            #expect(try connection.request("GET", "/pong").status == 200)
        }
    }

    @Test func `AUTH=none is refused where a cloud has given the function credentials`() throws {
        let failure = #expect(throws: LocalPlatform.Failure.self) {
            try withoutDatabase(["ALIBABA_CLOUD_SECURITY_TOKEN": "canary"]) { _ in }
        }
        let line = try JSON.Value(parsing: try #require(failure?.description).utf8)
        #expect(line["event"] == "startup_failed")
        #expect(line["variable"] == "AUTH")
        #expect(
            line["detail"]
                == "none is refused in a cloud, which ALIBABA_CLOUD_SECURITY_TOKEN shows this to be: set keys")
        try withoutDatabase(["ALIBABA_CLOUD_SECURITY_TOKEN": "canary", "AUTH": ""]) { function in
            let refused = try function.send("GET", "/api/realm")
            #expect(refused.status == 401)
        }
    }

    // MARK: What the platform says

    @Test func `a control field that is there twice or unknown is refused`() throws {
        try withoutDatabase { function in
            for path in ["/initialize", "/http-invoke"] {
                let twice = [path, "/invoke"].map { (name: "x-fc-control-path", value: $0) }
                let refused = try function.send("POST", "/invoke", fields: twice, json: "{}")
                #expect(refused.status == 400)
                #expect(refused["content-type"] == "application/problem+json")
            }
            let unknown = try function.control("GET", "/pre-freeze", id: "u-1")
            #expect(unknown.status == 404)
            #expect(try unknown.json()["request_id"] == "u-1")
            #expect(try function.send("GET", "/pong").status == 200)
        }
    }

    @Test func `every answer has its line in the log before it is sent, under the platform's id`() throws {
        try withoutDatabase { function in
            for number in 0..<40 {
                let fields = [(name: "x-fc-request-id", value: "id-\(number)")]
                let answer = try function.send("GET", number.isMultiple(of: 2) ? "/pong" : "/none", fields: fields)
                #expect(answer["x-request-id"] == "id-\(number)")
                #expect(function.lines.count { $0["request_id"] == .string("id-\(number)") } == 1)
            }
            let longest = String(repeating: "a", count: 128)
            let answer = try function.send("GET", "/none", fields: [(name: "x-fc-request-id", value: longest)])
            #expect(answer["x-request-id"] == longest)
            // Not an id of the platform's: one of our own takes its place.
            for id in [String(repeating: "a", count: 129), "a b", "\u{e4}"] {
                let answer = try function.send("GET", "/none", fields: [(name: "x-fc-request-id", value: id)])
                let own = try #require(answer["x-request-id"])
                #expect(own != id)
                #expect(try answer.json()["request_id"] == .string(own))
            }
        }
    }

    // MARK: The end

    /// Sends requests for a token that nobody has yet, and returns when the function has them all.
    private func inFlight(_ count: Int, _ function: ServingFunction, _ provider: GatedProvider) throws
        -> [RawHTTPConnection]
    {
        provider.close()
        func connections(_ count: Int) throws -> [RawHTTPConnection] {
            try (0..<count).map { _ in
                let connection = try RawHTTPConnection(port: function.port, timeout: 60)
                #expect(try connection.request("GET", "/pong").status == 200)
                return connection
            }
        }
        // So many that no network thread is without some.
        let (waiting, crowd) = (try connections(count), try connections(40))
        for connection in waiting {
            try connection.send("GET /api/token?realm=wx&key=app HTTP/1.1\r\nHost: t\r\n\r\n")
        }
        // A thread that answers one of these has read what came to it before.
        for connection in crowd { #expect(try connection.request("GET", "/pong").status == 200) }
        #expect(wait { provider.calls == 1 })
        return waiting
    }

    private func statuses(_ connections: [RawHTTPConnection]) throws -> [Int] {
        try connections.map { try $0.readResponse().status }
    }

    @Test func `everybody who asks for the end waits for what is in flight, and not for each other`() throws {
        try ServingFunction.withGatedServer { function, provider in
            let waiting = try inFlight(10, function, provider)
            let asking = try (0..<3).map { _ in try RawHTTPConnection(port: function.port, timeout: 60) }
            for connection in asking {
                try connection.send("GET /pre-stop HTTP/1.1\r\nHost: t\r\nx-fc-control-path: /pre-stop\r\n\r\n")
            }
            // Time in which one that does not wait would be answered.
            usleep(500_000)
            provider.open()
            #expect(try statuses(waiting) == [Int](repeating: 200, count: 10))
            #expect(try statuses(asking) == [200, 200, 200])
            // Who waited for another would have been let go by its deadline alone, a minute after it had come.
            let lines = function.lines.filter { $0["event"] == "invocation" }
            #expect(lines.count { $0["route"] == "/api/token" } == 10)
            let ends = lines.filter { $0["route"] == "/pre-stop" }
            #expect(ends.count == 3)
            #expect(ends.allSatisfy { ($0["ms_left"]?.number?.double ?? 0) > 1_000 })
            let lastToken = lines.lastIndex { $0["route"] == "/api/token" } ?? .max
            let firstEnd = lines.firstIndex { $0["route"] == "/pre-stop" } ?? 0
            #expect(lastToken < firstEnd)
        }
    }

    @Test func `on SIGTERM who is in flight is answered, and the process ends well`() throws {
        try ServingFunction.withGatedServer { function, provider in
            let waiting = try inFlight(20, function, provider)
            kill(function.process.pid, SIGTERM)
            // Once the listening socket is gone, the server is stopping.
            #expect(wait { (try? RawHTTPConnection(port: function.port)) == nil })
            provider.open()
            #expect(try statuses(waiting) == [Int](repeating: 200, count: 20))
        }
    }

    // MARK: Too much, too late

    @Test func `with every worker held by the database the queue fills, the rest is refused, and all are answered`()
        throws
    {
        let server = try MariaDBServer()
        let database = try TestDatabase(url: try server.freshDatabase()).migrated()
        try ServingFunction.withServer(database: database.url, ["FUNCTION_TIMEOUT_MS": "4000"]) { function, _ in
            let path = "/api/token?realm=wx&key=other"
            #expect(try function.send("GET", path).status == 200)
            let connections = try (0..<300).map { _ in try RawHTTPConnection(port: function.port, timeout: 60) }
            server.sigstop()
            defer { server.sigcont() }
            // By one thread, whose requests come together.
            let callers = connections.map { connection in
                try? connection.send("GET \(path) HTTP/1.1\r\nHost: t\r\n\r\n")
                return connection
            }
            let seen = try callers.map { try $0.readResponse() }
            let refused = seen.count { $0.status == 429 && $0["retry-after"] == "1" }
            // Twelve workers and two hundred places.
            #expect((1...88).contains(refused), "\(refused)")
            #expect(seen.count { $0.status == 503 && $0["retry-after"] != nil } == 300 - refused)
            // Who found no place waited for nothing.
            let statuses = function.lines.filter { $0["event"] == "invocation" }.compactMap {
                $0["status"]?.number?.integer
            }
            #expect(statuses.suffix(300).prefix(refused).allSatisfy { $0 == 429 })
            // Those whom no worker came for were answered all the same.
            let late = try seen.filter { try Value(parsing: $0.body)["type"] == "/problems/timeout" }
            #expect(late.count >= 100, "\(late.count)")
            server.sigcont()
            // The database still has the statements of those who left.
            #expect(try wait { try function.send("GET", path).json()["source"] == "database" })
        }
    }

    @Test func `the answer is there before the deadline, which counts from the request's arrival`() throws {
        try ServingFunction.withServer(["FUNCTION_TIMEOUT_MS": "3000"]) { function, provider in
            // Some 150 ms are kept back for the answer, in which a busy machine may not come to write it.
            let isInTime = try (0..<10).contains { number in
                try provider.plan("hang")
                let fields = [(name: "x-fc-request-id", value: "late-\(number)")]
                let answer = try function.send("GET", "/api/token?realm=wx&key=app", fields: fields)
                #expect(answer.status == 503)
                let line = try #require(function.lines.first { $0["request_id"] == .string("late-\(number)") })
                return (line["ms_left"]?.number?.double ?? -1) > 0
            }
            #expect(isInTime)
        }
    }

    // MARK: HTTP

    @Test(arguments: ["1.0", "1.1"])
    func `a connection is kept through whatever is asked on it`(version: String) throws {
        try ServingFunction.withServer { function, _ in
            let connection = try RawHTTPConnection(port: function.port)
            let head = " HTTP/\(version)\r\nHost: t\r\nConnection: keep-alive\r\n"
            for (line, status) in [
                ("GET /pong", 200), ("GET /none", 404), ("GET /api/token?realm=wx", 400), ("DELETE /pong", 405),
                ("GET /api/token?realm=wx&key=app", 200), ("HEAD /api/token?realm=wx&key=app", 200),
                ("HEAD /none", 404),
                ("GET /pong", 200),
            ] {
                try connection.send(line + head + "\r\n")
                let answer = try connection.readResponse(toHead: line.hasPrefix("HEAD"))
                #expect(answer.status == status, "\(line)")
                #expect(Int(answer["content-length"] ?? "").map { $0 > 0 } == true)
                if version == "1.0" { #expect(answer["connection"]?.lowercased() == "keep-alive") }
            }
        }
    }

    @Test func `a head as large as the platform lets through is read, and answered on the same connection`() throws {
        try withoutDatabase { function in
            let connection = try RawHTTPConnection(port: function.port)
            // 8 KB in a hundred fields.
            let fields = (0..<100).map { "x-field-\($0): " + String(repeating: "a", count: 66) }
            for _ in 0..<3 {
                let missing = try connection.request("GET", "/" + String(repeating: "p", count: 100), fields: fields)
                #expect(missing.status == 404)
            }
        }
    }

    @Test func `what is too large or malformed is refused, and the next request is answered`() throws {
        try withoutDatabase { function in
            let long = String(repeating: "a", count: 40_000)
            let large = String(repeating: "a", count: (1 << 20) + 1)
            let id = "x-fc-request-id: big"
            for (request, statuses) in [
                ("GET /pong HTTP/1.1\r\nHost: t\r\nX: \(long)\r\n\r\n", [431]),
                ("GET /\(long) HTTP/1.1\r\nHost: t\r\n\r\n", [414, 431]),
                ("POST /api/realm HTTP/1.1\r\nHost: t\r\n\(id)\r\nContent-Length: \(large.utf8.count)\r\n\r\n", [413]),
                ("GET /pong HTTP/1.1\r\nHost: t\r\n\(id)\r\nHost: t\r\n\r\n", [400]),
                ("GET\r\n\r\n", []), ("GET /pong HTTP/1.1\r\nbroken\r\n\r\n", [400]),
            ] {
                let connection = try RawHTTPConnection(port: function.port)
                try? connection.send(request)
                // What is hardly a request line is closed without an answer.
                if statuses.isEmpty {
                    #expect(try connection.readToEnd().isEmpty)
                } else {
                    let answer = try connection.readResponse()
                    #expect(statuses.contains(answer.status), "\(request.prefix(60))")
                    if request.contains(id) { #expect(try Value(parsing: answer.body)["request_id"] == "big") }
                }
                #expect(try function.send("GET", "/pong").status == 200)
            }
        }
    }

    @Test func `whatever a browser may load forbids it everything`() throws {
        try withoutDatabase { function in
            for path in ["/pong", "/nothing", "/api/realm", "/api/realm/%2e%2e", "//x", "/initialize"] {
                let answer = try function.send("GET", path)
                #expect(answer["x-content-type-options"] == "nosniff", "\(path)")
                #expect(answer["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'", "\(path)")
                #expect(answer["referrer-policy"] == "no-referrer", "\(path)")
                #expect(answer["cache-control"] == "no-store", "\(path)")
            }
        }
    }

    @Test func `threads and descriptors do not grow with the connections that came and went`() throws {
        try withoutDatabase { function in
            let pong = try function.send("GET", "/pong")
            #expect(pong.status == 200)
            let threads = function.threads
            let descriptors = function.descriptors
            for round in 0..<5 {
                concurrently(100) { number in
                    guard let connection = try? RawHTTPConnection(port: function.port) else { return }
                    // Half a request, one whose answer nobody reads, a whole one, and nothing.
                    if number % 4 == 0 { try? connection.send("GET /pong HTTP/1.1\r\nHo") }
                    if number % 4 == 1 { try? connection.send("GET /pong HTTP/1.1\r\nHost: t\r\n\r\n") }
                    if number % 4 == 2 { #expect((try? connection.request("GET", "/pong"))?.status == 200) }
                }
                #expect(wait { function.descriptors <= descriptors }, "round \(round)")
            }
            #expect(function.threads == threads)
        }
    }
}
