internal import Clocks
internal import Crypto
internal import Curl
internal import DatabaseDrivers
internal import Glibc
internal import HTTP
internal import JSON
internal import SQL
internal import Storage

/// Whether a caller can tell by the time that a realm exists which it may not see.
enum StrangerTimes {
    private static let requests = 2_000
    private static let administrator = "benchmark's own"

    static func measure(programs: String, scratch: String) throws -> [Report.Table] {
        let database =
            unsafe access(Tool.mariadb, X_OK) == 0
            ? try BenchmarkDatabase(programs: programs, scratch: scratch) : nil
        defer { database?.stop() }
        let url = try database?.url ?? embedded(scratch)
        let server = try ServedFunction(
            "token-server", programs: programs, scratch: scratch,
            [
                "DATABASE_URL=\(url)", "AUTH=keys",
                "ADMIN_KEY_SHA256=\(try SHA256.hexDigest(Array(administrator.utf8)))",
            ])
        defer { server.process.stop() }
        let caller = Caller(server.url)
        for realm in ["a", "b"] { try caller.store(realm) }
        let reader = try caller.makeKey(realm: "a")

        let asked = [("its own realm: a hit", "a", 200), ("another's realm", "b", 404), ("no realm", "c", 404)]
        var times = asked.map { _ in Sample() }
        progress("\(requests) requests each, in turn")
        // The first hundred of each are not counted: connections, statements and caches are new.
        for turn in -100..<requests {
            for step in asked.indices {
                // Each comes first, second and last as often as the others.
                let index = (step + turn + 100) % asked.count
                let took = try caller.time(realm: asked[index].1, as: reader, expecting: asked[index].2)
                if turn >= 0 { times[index].add(took) }
            }
        }
        let statements = try asked.map { _, realm, status in
            try database.map { _ in
                try self.statements(url) {
                    for _ in 0..<100 { _ = try caller.time(realm: realm, as: reader, expecting: status) }
                } / 100
            }
        }
        var table = Report.Table(
            title: "Another's realm and none, to a reader of a third (one instance in FC mode, "
                + "\(database == nil ? "embedded store" : "MariaDB"), \(requests) requests each in turn)",
            columns: ["asked for", "median µs", "half of them within µs", "statements per request"], rows: [])
        for (index, (name, _, _)) in asked.enumerated() {
            table.rows.append([
                name, decimal(times[index].median, digits: 1), decimal(times[index].spread, digits: 1),
                statements[index].map { decimal($0, digits: 2) } ?? "not counted",
            ])
        }
        let difference = times[1].median - times[2].median
        let least = min(times[1].spread, times[2].spread)
        table.rows.append([
            "difference of the last two", decimal(difference, digits: 1),
            "aim: less than \(decimal(least, digits: 1)), \(difference.magnitude < least ? "met" : "not met")",
            statements[1].flatMap { one in statements[2].map { decimal(one - $0, digits: 2) } } ?? "not counted",
        ])
        return [table]
    }

    private static func embedded(_ scratch: String) throws -> String {
        let url = "sqlite:\(scratch)/strangers"
        let connection = try DatabaseURL(parsing: url).connection()
        try MigrationRunner(connection).run(try Schema.migrations(for: connection.dialect))
        connection.close()
        return url
    }

    /// The prepared statements that MariaDB ran for `body`, those of the counting left out.
    private static func statements(_ url: String, _ body: () throws -> Void) throws -> Double {
        let watcher = try DatabaseURL(parsing: url).connection()
        defer { watcher.close() }
        let idle = try BenchmarkDatabase.counters(watcher)
        let before = try BenchmarkDatabase.counters(watcher)
        try body()
        let after = try BenchmarkDatabase.counters(watcher)
        return Double(after.executed - before.executed - (before.executed - idle.executed))
    }

    /// Asks over one connection, which is kept.
    private struct Caller {
        private let client = CurlClient()
        private let url: String
        private let clock = SystemClock()

        init(_ url: String) {
            self.url = url
        }

        private func send(_ method: HTTP.Method, _ target: String, _ body: String = "", as key: String) throws
            -> ClientResponse
        {
            var fields = Fields()
            fields.append(.authorization, "Bearer \(key)")
            if !body.isEmpty { fields.append(.contentType, "application/json") }
            let request = ClientRequest(method, url: url + target, fields: fields, body: Array(body.utf8))
            return try client.send(request, limits: ClientLimits(), willSend: { true }, didSend: {})
        }

        private func write(_ method: HTTP.Method, _ target: String, _ body: String) throws -> JSON.Value {
            let response = try send(method, target, body, as: administrator)
            guard response.status.isSuccess else {
                throw BenchmarkFailure(description: "\(target): \(response.status.code)")
            }
            return try JSON.Value(parsing: response.body)
        }

        /// A realm with one secret, whose token was placed.
        func store(_ realm: String) throws {
            _ = try write(.post, "/api/realm", #"{"id":"\#(realm)"}"#)
            _ = try write(.post, "/api/secret", #"{"realm":"\#(realm)","key":"app"}"#)
            let token = String(repeating: "t", count: 160)
            _ = try write(.put, "/api/secret/\(realm)/app/token", #"{"token":"\#(token)"}"#)
        }

        func makeKey(realm: String) throws -> String {
            guard let key = try write(.post, "/api/key", #"{"role":"reader","realms":["\#(realm)"]}"#)["key"]?.string
            else { throw BenchmarkFailure(description: "no key is made") }
            return key
        }

        /// Microseconds of one request.
        func time(realm: String, as key: String, expecting status: Int) throws -> Double {
            let start = clock.now()
            let response = try send(.get, "/api/token?realm=\(realm)&key=app", as: key)
            let took = clock.now().steady - start.steady
            guard response.status.code == status else {
                throw BenchmarkFailure(description: "realm \(realm): \(response.status.code)")
            }
            return took / .microseconds(1)
        }
    }
}
