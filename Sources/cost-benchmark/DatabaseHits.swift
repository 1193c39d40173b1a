internal import Clocks
internal import DatabaseDrivers
internal import HTTP
internal import SQL
internal import Storage
internal import Tokens

/// What a hit in the database costs: one instance of the token server, beside the same statement run by the C client alone.
enum DatabaseHits {
    /// As many as the server has workers, and so connections.
    private static let connections = 12
    private static let callers = 100

    static func measure(programs: String, scratch: String, _ rounds: Rounds) throws -> [Report.Table] {
        let database = try BenchmarkDatabase(programs: programs, scratch: scratch)
        defer { database.stop() }
        let provider = try BenchmarkProvider(programs: programs)
        let server = try ServedFunction(
            "token-server", programs: programs, scratch: scratch,
            ["DATABASE_URL=\(database.url)", "UPSTREAM_ALLOW=\(provider.address)"])
        defer { server.process.stop() }
        try provider.register(keys: ["app"], at: server.url)
        let url = server.token("app")
        try send(.get, url)
        let watcher = try DatabaseURL(parsing: database.url).connection()
        let statement = try statementOfAHit(database.url)
        var perSecond = Pair()
        var cpu = Sample()
        var executed = Sample()
        var all = Sample()
        var failures = 0
        for round in 1...rounds.count {
            progress("hits in the database, round \(round) of \(rounds.count)")
            func ours() throws -> Double {
                defer { server.forgetLog() }
                // Twice at once tells what the reading itself adds.
                let idle = try BenchmarkDatabase.counters(watcher)
                let before = try BenchmarkDatabase.counters(watcher)
                let cpuBefore = ProcessUsage.cpu(group: server.process.id)
                let load = try Load.run(
                    url, connections: callers, seconds: rounds.seconds, keepsAlive: true, scratch: scratch)
                let used = ProcessUsage.cpu(group: server.process.id) - cpuBefore
                let after = try BenchmarkDatabase.counters(watcher)
                failures += load.failures
                let hits = try hits(server, atLeast: load.requests)
                executed.add(
                    Double(after.executed - before.executed - (before.executed - idle.executed)) / Double(hits))
                cpu.add(used / Double(hits) / .microseconds(1))
                all.add(Double(after.all - before.all - (before.all - idle.all)) / Double(hits))
                return load.perSecond
            }
            func alone() throws -> Double {
                try StatementLoop.run(
                    statement, socket: database.socket, database: BenchmarkDatabase.name, connections: connections,
                    seconds: rounds.seconds)
            }
            // In turn, so that whatever else the machine does meets both.
            let first = try round.isMultiple(of: 2) ? ours() : alone()
            let second = try round.isMultiple(of: 2) ? alone() : ours()
            if round.isMultiple(of: 2) { perSecond.add(first, second) } else { perSecond.add(second, first) }
        }
        return [
            Report.Table(
                title:
                    "Hits in MariaDB: one instance in FC mode under ab -k -c \(callers) -t \(rounds.seconds), beside the C client on "
                    + "\(connections) connections, medians of \(rounds.count) paired rounds",
                columns: ["measure", "token-server", "C client alone", "ratio (least – most)", "aim"],
                rows: [
                    ["prepared statements per hit, by MariaDB's count", executed.shown(digits: 3), "1", "–", "1"],
                    ["statements of any kind per hit", all.shown(digits: 3), "1", "–", "1"],
                    perSecond.row(["per second"], digits: 0, aim: "≥ 0.6"),
                    ["CPU µs per hit, the server's own", cpu.shown(digits: 0), "–", "–", "–"],
                    ["failed requests", String(failures), "–", "–", "0"],
                ])
        ]
    }

    /// The requests that the server answered, by its log: ab forgets those that were under way when its time was over.
    private static func hits(_ server: ServedFunction, atLeast count: Int) throws -> Int {
        let hits = server.answered
        guard hits >= count else { throw BenchmarkFailure(description: "the log lacks requests that ab counted") }
        return hits
    }

    /// What the store really sends for a hit.
    private static func statementOfAHit(_ url: String) throws -> Query {
        let noting = NotingConnection(try DatabaseURL(parsing: url).connection())
        let store = DatabaseStore(noting, sealer: Sealer(try BenchmarkKeys.keys()))
        _ = try store.read(SecretID(realm: "bench", key: "app"), clock: SystemClock())
        noting.close()
        guard noting.queries.count == 1, let query = noting.queries.first else {
            throw BenchmarkFailure(description: "a hit is \(noting.queries.count) statements")
        }
        return query
    }
}
