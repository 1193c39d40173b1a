internal import Glibc

/// Measures what the service costs: counts first, times as ratios or beside what they depend on.
enum CostBenchmark {
    private static let usage = """
        usage: cost-benchmark refresh [--output FOLDER]
               cost-benchmark calls [--output FOLDER]

        refresh   upstream calls and statements of a hit, a refused token and a refresh, and what a loser waits;
                  on an embedded store of its own, or on DATABASE_URL, whose schema must be migrated
        calls     what 10,000 calls cost on both clouds: the built programs (build/bin, ./bootstrap) on the local platform,
                  under ab's load, by its account and the price sheets
        """

    static func run(_ arguments: [String]) -> Int32 {
        var folder = "build/bench"
        guard let name = arguments.first, ["refresh", "calls"].contains(name) else {
            print(usage)
            return arguments.first == "help" ? 0 : 2
        }
        switch (arguments.dropFirst().first, arguments.count) {
        case (nil, 1): break
        case ("--output", 3): folder = arguments[2]
        default:
            print(usage)
            return 2
        }
        do {
            let report =
                name == "refresh"
                ? try RefreshCosts.measure(environment: environment)
                : Report(
                    tables: try CallCosts.measure(
                        programs: "build/bin", bootstrap: "./bootstrap", data: folder + "/run"))
            print(report.markdown)
            try report.write(to: folder, name: name)
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
