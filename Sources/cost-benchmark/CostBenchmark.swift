internal import Glibc

/// Measures what the service costs: counts first, times as ratios or beside what they depend on.
enum CostBenchmark {
    private static let usage = """
        usage: cost-benchmark MEASURE [--output FOLDER] [--rounds N] [--seconds N]

        refresh        upstream calls and statements of a hit, a refused token and a refresh, and what a loser waits;
                       on an embedded store of its own, or on DATABASE_URL, whose schema must be migrated
        calls          what 10,000 calls cost on both clouds: the functions on the local platform, under ab's load,
                       by its account and the price sheets
        memory-hits    the cache function's hits beside nginx with a static body of the same size
        database-hits  the token server's hits, its token in MariaDB, beside the same statement run by the C client alone
        hung-provider  hits on other keys while 150 callers wait for a provider that hangs
        strangers      whether a reader can tell another's realm from none by the time that an answer takes
        unsealing      what opening a sealed token adds to a hit, in statements and microseconds
        authentication what knowing the caller by an API key adds to a hit, the same
        log-line       what the audit adds to the log's line of a hit, the same

        All but the first and the last three run the built programs (build/bin, ./bootstrap) as they are deployed. All but
        the first two and strangers measure pairs in so many rounds (5), for so many seconds each (5; the last three count instead). Tables go to FOLDER (build/bench) as Markdown and JSON.
        """

    private enum Measure: String {
        case refresh, calls
        case memoryHits = "memory-hits"
        case databaseHits = "database-hits"
        case hungProvider = "hung-provider"
        case strangers, unsealing, authentication
        case logLine = "log-line"
    }

    private static let programs = "build/bin"

    static func run(_ arguments: [String]) -> Int32 {
        var folder = "build/bench"
        var rounds = Rounds()
        guard let measure = arguments.first.flatMap(Measure.init), arguments.count.isMultiple(of: 2) == false else {
            print(usage)
            return arguments.first == "help" ? 0 : 2
        }
        for index in stride(from: 1, to: arguments.count, by: 2) {
            let value = arguments[index + 1]
            switch (arguments[index], Int(value)) {
            case ("--output", _): folder = value
            case ("--rounds", let count?) where (1...100).contains(count): rounds.count = count
            case ("--seconds", let seconds?) where (1...600).contains(seconds): rounds.seconds = seconds
            default:
                print(usage)
                return 2
            }
        }
        Child.endAllOnTermination()
        let scratch = "/tmp/cost-benchmark-\(getpid())"
        unsafe mkdir(scratch, 0o700)
        defer { try? Child.run("/usr/bin/rm", ["-r", "-f", scratch]) }
        do {
            let report = Report(tables: try tables(of: measure, rounds, scratch: scratch))
            print(report.markdown)
            try report.write(to: folder, name: measure.rawValue)
            return 0
        } catch {
            print("cost-benchmark: \(error)")
            return 1
        }
    }

    private static func tables(of measure: Measure, _ rounds: Rounds, scratch: String) throws -> [Report.Table] {
        switch measure {
        case .refresh: try RefreshCosts.measure(environment: environment, scratch: scratch)
        case .calls: try CallCosts.measure(programs: programs, bootstrap: "./bootstrap", scratch: scratch)
        case .memoryHits: try MemoryHits.measure(programs: programs, scratch: scratch, rounds)
        case .databaseHits: try DatabaseHits.measure(programs: programs, scratch: scratch, rounds)
        case .hungProvider: try HungProvider.measure(programs: programs, scratch: scratch, rounds)
        case .strangers: try StrangerTimes.measure(programs: programs, scratch: scratch)
        case .unsealing: try UnsealingCosts.measure(scratch: scratch, rounds)
        case .authentication: try AuthenticationCosts.measure(scratch: scratch, rounds)
        case .logLine: try LogLineCosts.measure(rounds)
        }
    }

    private static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
