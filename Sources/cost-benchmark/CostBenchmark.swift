internal import Glibc

/// Measures what the service costs: counts first, times as ratios or beside what they depend on.
enum CostBenchmark {
    private static let usage = """
        usage: cost-benchmark MEASURE [options]

        refresh        upstream calls and statements of a hit, a refused token and a refresh, and what a loser waits;
                       on an embedded store of its own, or on DATABASE_URL, whose schema must be migrated
        calls          what 10,000 calls cost on both clouds: the functions on the local platform, under ab's load,
                       by its account and the price sheets
        memory-hits    the cache function's hits beside nginx with a static body of the same size
        database-hits  the token server's hits, its token in MariaDB, beside the same statement run by the C client alone
        hung-provider  hits on other keys while 150 callers wait for a provider that hangs
        strangers      whether a reader can tell another's realm from none by the time that an answer takes
        security       what authentication, unsealing and the audit's part of the log's line add to a hit,
                       in statements and microseconds

        paste          measures nothing: puts the tables of the last whole run into README.md and docs/cost.md

          --output FOLDER   takes the tables as Markdown and JSON, MEASURE.md and MEASURE.json; default build/bench
          --programs FOLDER the built programs, for whatever runs them as they are deployed; default build/bin
          --rounds N        how often each pair is measured; default 5. Not for refresh, calls and strangers
          --seconds N       how long each side of a pair, or the second load of calls; default 5.
                            For calls, memory-hits and database-hits
          calls alone:
          --calls N         calls of the first load; default 10000
          --platform NAME   lambda or fc; default both
          --concurrency N   lambda: most instances; default 8, then 20
          --instance-concurrency N   fc: requests at once for an instance; default 1, then 20, 100 and 200
        """

    static func run(_ arguments: [String]) -> Int32 {
        if ["help", "--help", "-h"].contains(arguments.first) {
            print(usage)
            return 0
        }
        do throws(UsageError) {
            return measure(try Arguments(arguments))
        } catch {
            progress("\(error.message); try cost-benchmark help")
            return 2
        }
    }

    private static func measure(_ arguments: Arguments) -> Int32 {
        allowManyDescriptors()
        let scratch = "/tmp/cost-benchmark-\(getpid())"
        Child.endAllOnTermination(removing: scratch)
        unsafe mkdir(scratch, 0o700)
        defer { try? Child.run("/usr/bin/rm", ["-r", "-f", scratch]) }
        do {
            if arguments.measure == .paste {
                try PastedReports.paste(from: arguments.folder)
                return 0
            }
            for tool in arguments.measure.tools { try Child.require(tool) }
            try Report.tryPlace(arguments.folder, name: arguments.measure.rawValue)
            progress("\(arguments.measure.rawValue) …")
            let report = Report(tables: try tables(arguments, scratch: scratch))
            print(report.markdown)
            try report.write(to: arguments.folder, name: arguments.measure.rawValue)
            return 0
        } catch {
            Child.waitIfEnding()
            progress("\(error)")
            return 1
        }
    }

    private static func tables(_ arguments: Arguments, scratch: String) throws -> [Report.Table] {
        let programs = arguments.programs
        let rounds = arguments.rounds
        return switch arguments.measure {
        case .refresh: try RefreshCosts.measure(environment: environment, scratch: scratch)
        case .calls:
            try CallCosts.measure(arguments.calls, programs: programs, bootstrap: "./bootstrap", scratch: scratch)
        case .memoryHits: try MemoryHits.measure(programs: programs, scratch: scratch, rounds)
        case .databaseHits: try DatabaseHits.measure(programs: programs, scratch: scratch, rounds)
        case .hungProvider: try HungProvider.measure(programs: programs, scratch: scratch, rounds)
        case .strangers: try StrangerTimes.measure(programs: programs, scratch: scratch)
        case .security: try SecurityCosts.measure(scratch: scratch, rounds)
        case .paste: []
        }
    }

    /// A platform with hundreds of connections on each side needs more than the 1,024 that a shell allows; what is started here inherits it.
    private static func allowManyDescriptors() {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 1 << 16))
        _ = unsafe setrlimit(resource, &limit)
    }

    private static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
