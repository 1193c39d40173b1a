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
    /// Of one token, as where a whole fleet uses it; and of so many tokens at once, evenly.
    private static let callers = 100
    private static let tokens = 12

    /// What one kind of load cost, round by round.
    private struct Costs {
        var perSecond = Pair()
        var cpu = Sample()
        var executed = Sample()
        var all = Sample()
        var failures = 0
    }

    static func measure(programs: String, scratch: String, _ rounds: Rounds) throws -> [Report.Table] {
        let database = try BenchmarkDatabase(programs: programs, scratch: scratch)
        defer { database.stop() }
        let provider = try BenchmarkProvider(programs: programs)
        let server = try ServedFunction(
            "token-server", programs: programs, scratch: scratch,
            ["DATABASE_URL=\(database.url)", "UPSTREAM_ALLOW=\(provider.address)"])
        defer { server.process.stop() }
        let keys = (1...tokens).map { "app\($0)" }
        try provider.register(keys: keys, at: server.url)
        let urls = keys.map { server.token($0) }
        for url in urls { try send(.get, url) }
        let watcher = try DatabaseURL(parsing: database.url).connection()
        let statement = try statementOfAHit(database.url)

        func load(_ urls: [String], _ costs: inout Costs) throws -> Double {
            defer { server.forgetLog() }
            // Twice at once tells what the reading itself adds.
            let idle = try BenchmarkDatabase.counters(watcher)
            let before = try BenchmarkDatabase.counters(watcher)
            let cpuBefore = ProcessUsage.cpu(group: server.process.id)
            let load = try Load.run(urls, connections: callers, seconds: rounds.seconds, scratch: scratch)
            let used = ProcessUsage.cpu(group: server.process.id) - cpuBefore
            let after = try BenchmarkDatabase.counters(watcher)
            let hits = try hits(server, atLeast: load.requests)
            costs.failures += load.failures
            costs.executed.add(
                Double(after.executed - before.executed - (before.executed - idle.executed)) / Double(hits))
            costs.cpu.add(used / Double(hits) / .microseconds(1))
            costs.all.add(Double(after.all - before.all - (before.all - idle.all)) / Double(hits))
            return load.perSecond
        }
        func alone() throws -> Double {
            try StatementLoop.run(
                statement, socket: database.socket, database: BenchmarkDatabase.name, connections: connections,
                seconds: rounds.seconds)
        }
        var one = Costs()
        var many = Costs()
        for round in 1...rounds.count {
            progress("hits in the database, round \(round) of \(rounds.count)")
            // In turn, so that whatever else the machine does meets all.
            let first = try round.isMultiple(of: 2) ? nil : alone()
            let ofOne = try load([urls[0]], &one)
            let ofMany = try load(urls, &many)
            let reference = try first ?? alone()
            one.perSecond.add(ofOne, reference)
            many.perSecond.add(ofMany, reference)
        }
        let several = "\(tokens) tokens: "
        return [
            Report.Table(
                title:
                    "Hits in MariaDB: one instance in FC mode under ab -k -c \(callers) -t \(rounds.seconds), beside the C client on "
                    + "\(connections) connections, medians of \(rounds.count) paired rounds",
                columns: ["measure", "token-server", "C client alone", "ratio (least – most)", "aim"],
                rows: [
                    [
                        "prepared statements per hit, by MariaDB's count", one.executed.shown(digits: 3), "1", "–",
                        "≤ 1",
                    ],
                    ["statements of any kind per hit", one.all.shown(digits: 3), "1", "–", "≤ 1"],
                    one.perSecond.row(["per second"], digits: 0, aim: "≥ 0.6"),
                    ["CPU µs per hit, the server's own", one.cpu.shown(digits: 0), "–", "–", "–"],
                    [several + "prepared statements per hit", many.executed.shown(digits: 3), "1", "–", "≤ 1"],
                    many.perSecond.row([several + "per second"], digits: 0, aim: "–"),
                    [several + "CPU µs per hit", many.cpu.shown(digits: 0), "–", "–", "–"],
                    ["failed requests", String(one.failures + many.failures), "–", "–", "0"],
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
        _ = try store.read(SecretID(realm: "bench", key: "app1"), clock: SystemClock())
        noting.close()
        guard noting.queries.count == 1, let query = noting.queries.first else {
            throw BenchmarkFailure(description: "a hit is \(noting.queries.count) statements")
        }
        return query
    }
}
