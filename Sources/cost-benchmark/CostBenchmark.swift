internal import Glibc

/// Measures what the service costs: counts first, times as ratios or beside what they depend on.
enum CostBenchmark {
    private static let usage = """
        usage: cost-benchmark refresh [--output FOLDER]

        refresh   upstream calls and statements of a hit, a refused token and a refresh, and what a loser waits;
                  on an embedded store of its own, or on DATABASE_URL, whose schema must be migrated
        """

    static func run(_ arguments: [String]) -> Int32 {
        var folder = "build/bench"
        switch (arguments.first, arguments.dropFirst().first, arguments.count) {
        case ("refresh", nil, 1): break
        case ("refresh", "--output", 3): folder = arguments[2]
        default:
            print(usage)
            return arguments.first == "help" ? 0 : 2
        }
        do {
            let report = try RefreshCosts.measure(environment: environment)
            print(report.markdown)
            try report.write(to: folder, name: "refresh")
            return 0
        } catch {
            print("cost-benchmark: \(error)")
            return 1
        }
    }

    private static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
