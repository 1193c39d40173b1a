/// What authentication, unsealing and the audit's part of the log's line add to a hit, each measured with and without, in turn.
enum SecurityCosts {
    /// As long as the longest that WeChat says a token may be.
    static let tokenBytes = 512

    static func measure(scratch: String, _ rounds: Rounds) throws -> [Report.Table] {
        [
            Report.Table(
                title: "What its security adds to a hit (embedded store, one thread, a token of \(tokenBytes) bytes)",
                columns: ["for", "statements added", "µs, with it", "without", "µs added (least – most)"],
                rows: [
                    try AuthenticationCosts.row(scratch: scratch, rounds),
                    try UnsealingCosts.row(scratch: scratch, rounds), try LogLineCosts.row(rounds),
                ])
        ]
    }

    static func row(_ name: String, _ statements: (with: Int, without: Int), _ pair: Pair) -> [String] {
        [
            name, String(statements.with - statements.without), decimal(pair.first.median, digits: 1),
            decimal(pair.second.median, digits: 1), pair.difference.shown(digits: 1),
        ]
    }
}
