internal import FunctionRuntime
internal import HTTP

/// What a hit in memory costs: one instance of the cache function, beside nginx with a static body of the same size on as many threads.
enum MemoryHits {
    private static let connections = 200
    /// nginx gets as many workers as the function has network threads.
    private static let threads = FunctionRuntime.networkThreads

    /// The measures of one side in one round.
    private struct Run {
        let load: Load
        let cpuPerRequest: Duration

        init(_ url: String, _ process: Child, keepsAlive: Bool, seconds: Int, scratch: String) throws {
            let before = ProcessUsage.cpu(group: process.id)
            load = try Load.run(
                url, connections: connections, seconds: seconds, keepsAlive: keepsAlive, scratch: scratch)
            cpuPerRequest = (ProcessUsage.cpu(group: process.id) - before) / load.requests
        }
    }

    static func measure(programs: String, scratch: String, _ rounds: Rounds) throws -> [Report.Table] {
        let provider = try BenchmarkProvider(programs: programs)
        let database = "DATABASE_URL=sqlite:\(scratch)/store"
        try Child.run("\(programs)/token-server-admin", ["migrate"], environment: [database])
        let server = try ServedFunction(
            "token-server", programs: programs, scratch: scratch, [database, "UPSTREAM_ALLOW=\(provider.address)"])
        defer { server.process.stop() }
        try provider.register(keys: ["app"], at: server.url)
        // Each line of a log is a system call: either both write one for each request, or none does.
        return try [true, false].map { logs in
            let cache = try ServedFunction(
                "token-server-cache", programs: programs, scratch: scratch,
                ["TOKEN_SERVER_URL=\(server.url)"] + (logs ? [] : ["LOG_LEVEL=warn"]))
            defer { cache.process.stop() }
            let url = cache.token("app")
            try send(.get, url)
            let body = String(decoding: try send(.get, url), as: UTF8.self)
            guard body.contains(#""source":"memory""#) else { throw BenchmarkFailure(description: "no hit: \(body)") }
            let nginx = try Nginx(body: body, workers: threads, logs: logs, scratch: scratch)
            defer { nginx.process.stop() }
            var rows: [[String]] = []
            for keepsAlive in [true, false] {
                var perSecond = Pair()
                var cpu = Pair()
                var p99 = Pair()
                var failures = 0
                for round in 1...rounds.count {
                    progress(
                        "hits in memory, \(logs ? "with" : "without") a log, \(keepsAlive ? "" : "no ")keep-alive, round \(round) of \(rounds.count)"
                    )
                    func ours() throws -> Run {
                        defer { cache.forgetLog() }
                        return try Run(
                            url, cache.process, keepsAlive: keepsAlive, seconds: rounds.seconds, scratch: scratch)
                    }
                    func theirs() throws -> Run {
                        defer { nginx.forgetLog() }
                        return try Run(
                            nginx.url, nginx.process, keepsAlive: keepsAlive, seconds: rounds.seconds, scratch: scratch)
                    }
                    // In turn, so that whatever else the machine does meets both.
                    let first = try round.isMultiple(of: 2) ? ours() : theirs()
                    let second = try round.isMultiple(of: 2) ? theirs() : ours()
                    let (cache, nginx) = round.isMultiple(of: 2) ? (first, second) : (second, first)
                    failures += cache.load.failures
                    perSecond.add(cache.load.perSecond, nginx.load.perSecond)
                    cpu.add(cache.cpuPerRequest / .microseconds(1), nginx.cpuPerRequest / .microseconds(1))
                    p99.add(cache.load.p99 / .milliseconds(1), nginx.load.p99 / .milliseconds(1))
                }
                let kind = keepsAlive ? "keep-alive" : "a connection per call"
                rows.append(perSecond.row([kind, "requests/s"], digits: 0, aim: keepsAlive ? "≥ 0.7" : "–"))
                rows.append(cpu.row([kind, "CPU µs per request"], digits: 1, aim: keepsAlive ? "≤ 1.5" : "–"))
                rows.append(p99.row([kind, "p99 ms"], digits: 2, aim: "< 3"))
                rows.append([kind, "failed requests", String(failures), "–", "–", "0"])
            }
            return Report.Table(
                title:
                    "Hits in memory: one instance in FC mode beside nginx, both \(logs ? "with a log line for each request" : "without a log"), "
                    + "ab -c \(connections) -t \(rounds.seconds), medians of \(rounds.count) paired rounds",
                columns: ["connections", "measure", "token-server-cache", "nginx", "ratio (least – most)", "aim"],
                rows: rows)
        }
    }
}
