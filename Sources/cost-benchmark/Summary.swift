internal import JSON

/// The few rows of whole reports that README shows.
enum Summary {
    /// A row by the report that has it, its table there, and its first cells.
    private struct Pick {
        let report: String
        var table = 0
        let cells: [String]
        /// What it is called in the summary; nothing where it keeps its names.
        var name = ""
    }

    private static let costs = [
        Pick(report: "calls", cells: ["AWS Lambda, 20 instances at most", "no"]),
        Pick(report: "calls", cells: ["AWS Lambda, 20 instances at most", "yes"]),
        Pick(report: "calls", cells: ["Function Compute, 1 at once", "no"]),
        Pick(report: "calls", cells: ["Function Compute, 100 at once", "no"]),
        Pick(report: "calls", cells: ["Function Compute, 200 at once", "yes"]),
        Pick(report: "calls", cells: ["the predecessor, as its README printed it", "no"]),
        Pick(report: "calls", cells: ["the predecessor, recomputed from the same run", "no"]),
        Pick(report: "calls", cells: ["the predecessor, recomputed, by today's tariff", "no"]),
    ]
    private static let ratios = [
        Pick(
            report: "memory-hits", cells: ["keep-alive", "requests/s"],
            name: "a hit in memory, beside nginx, both with a log: requests/s"),
        Pick(
            report: "memory-hits", cells: ["keep-alive", "CPU µs per request"],
            name: "the same: CPU µs per request"),
        Pick(
            report: "memory-hits", table: 1, cells: ["keep-alive", "requests/s"],
            name: "both without a log: requests/s"),
        Pick(
            report: "memory-hits", table: 1, cells: ["keep-alive", "CPU µs per request"],
            name: "the same: CPU µs per request"),
        Pick(
            report: "database-hits", cells: ["per second"],
            name: "a hit in MariaDB beside the C client alone: per second"),
        Pick(
            report: "hung-provider", cells: ["p99 ms"],
            name: "hits while 150 callers wait for a provider that hangs, beside undisturbed ones: p99 ms"),
    ]

    /// - Parameter folder: has the reports as JSON.
    /// - Throws: `BenchmarkFailure` where a report or a row is not there.
    static func read(from folder: String) throws -> Report {
        var reports: [String: JSON.Value] = [:]
        func row(_ pick: Pick) throws -> [String] {
            if reports[pick.report] == nil {
                let path = "\(folder)/\(pick.report).json"
                guard let report = try? JSON.Value(parsing: TextFile.read(path).utf8) else {
                    throw BenchmarkFailure(description: "\(path) is missing: make bench writes it")
                }
                reports[pick.report] = report
            }
            let tables = reports[pick.report]?.array?.dropFirst(pick.table) ?? []
            let rows = tables.first?["rows"]?.array ?? []
            for row in rows {
                let cells = row.object?.members.map { Report.cell(of: $0.value) } ?? []
                if cells.starts(with: pick.cells) { return cells }
            }
            throw BenchmarkFailure(
                description: "\(folder)/\(pick.report).json has no row \(pick.cells.joined(separator: ", "))")
        }
        return Report(tables: [
            Report.Table(
                title: "Ten thousand calls for one token",
                columns: ["where", "through the cache", "instances", "yuan", "dollars"],
                rows: try costs.map { pick in
                    let row = try row(pick)
                    return row.prefix(3) + row.suffix(2)
                }),
            Report.Table(
                title: "One request", columns: ["measure", "ours", "beside", "ratio (least – most)", "aim"],
                rows: try ratios.map { pick in [pick.name] + (try row(pick)).suffix(4) }),
        ])
    }
}
