internal import Glibc
internal import HTTP

/// What a provider that hangs costs those who do not need it: hits on other keys, while 150 callers wait for one that cannot come.
enum HungProvider {
    private static let callers = 150
    private static let connections = 8
    /// Shorter than the call that hangs, so that all of it is measured while everybody waits.
    private static let seconds = 3

    static func measure(programs: String, scratch: String, _ rounds: Rounds) throws -> [Report.Table] {
        let database = try BenchmarkDatabase(programs: programs, scratch: scratch)
        defer { database.stop() }
        let provider = try BenchmarkProvider(programs: programs)
        let server = try ServedFunction(
            "token-server", programs: programs, scratch: scratch,
            ["DATABASE_URL=\(database.url)", "UPSTREAM_ALLOW=\(provider.address)"])
        defer { server.process.stop() }
        // One for each round: a key whose call has failed is refused at once for a while.
        try provider.register(keys: ["app"] + (1...rounds.count).map { "hung-\($0)" }, at: server.url)
        let url = server.token("app")
        try send(.get, url)
        func hits() throws -> Load {
            defer { server.forgetLog() }
            return try Load.run(url, connections: connections, seconds: seconds, keepsAlive: true, scratch: scratch)
        }
        func status(_ name: String) -> Double { Double(ProcessUsage.status(server.process.id, name)) }
        // What a first load allocates is no growth.
        _ = try hits()
        var p99 = Pair()
        var perSecond = Pair()
        var threads = Pair()
        var memory = Pair()
        var failures = 0
        var waiting = Sample()
        for round in 1...rounds.count {
            progress("hits beside a hung provider, round \(round) of \(rounds.count)")
            let undisturbed = try hits()
            let (threadsBefore, memoryBefore) = (status("Threads"), status("RssAnon"))
            try provider.hang(true)
            let crowd = try Child(
                Tool.ab,
                ["-q", "-s", "60", "-c", String(callers), "-n", String(callers), server.token("hung-\(round)")])
            usleep(700_000)
            let disturbed = try hits()
            threads.add(status("Threads"), threadsBefore)
            memory.add(status("RssAnon"), memoryBefore)
            // Nobody has been answered while it was measured: each answer would be a line of the log.
            waiting.add(Double(callers - answered(server)))
            crowd.discardOutput()
            crowd.wait()
            try provider.hang(false)
            server.forgetLog()
            p99.add(disturbed.p99 / .milliseconds(1), undisturbed.p99 / .milliseconds(1))
            perSecond.add(disturbed.perSecond, undisturbed.perSecond)
            failures += disturbed.failures
        }
        return [
            Report.Table(
                title:
                    "Hits in MariaDB under ab -k -c \(connections) -t \(seconds), while \(callers) callers wait for a provider that hangs, "
                    + "medians of \(rounds.count) paired rounds",
                columns: ["measure", "with the hung provider", "undisturbed", "ratio (least – most)", "aim"],
                rows: [
                    p99.row(["p99 ms"], digits: 2, aim: "≤ 2"), perSecond.row(["requests/s"], digits: 0, aim: "–"),
                    threads.row(["threads"], digits: 0, aim: "1"), memory.row(["RssAnon kB"], digits: 0, aim: "flat"),
                    ["callers still waiting at the end", waiting.shown(digits: 0), "–", "–", String(callers)],
                    ["failed hits", String(failures), "–", "–", "0"],
                ])
        ]
    }

    /// Callers of the hung key that have been answered: their lines are no hits.
    private static func answered(_ server: ServedFunction) -> Int {
        server.lines.count { !$0.contains("\"status\":200") }
    }
}
