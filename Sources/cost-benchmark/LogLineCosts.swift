internal import Clocks
internal import Glibc
internal import Log
internal import TokenAPI

/// What the log's line of a hit costs for telling who read which token, instead of a row of the audit.
enum LogLineCosts {
    private static let lines = 20_000

    /// A hit's line with the token's fingerprint and the caller, and without, in turn; both are written to nowhere.
    static func measure(_ rounds: Rounds) throws -> [Report.Table] {
        let nowhere = unsafe open("/dev/null", O_WRONLY | O_CLOEXEC)
        guard nowhere >= 0 else { throw BenchmarkFailure(description: "cannot write /dev/null") }
        defer { close(nowhere) }
        let logger = Logger { line in
            _ = unsafe line.withUnsafeBytes { unsafe write(nowhere, $0.baseAddress, $0.count) }
        }
        let members: [(String, Logger.Value)] = [
            ("request_id", .string("1-581cf771-a006649127e371903a2de979")), ("method", .string("GET")),
            ("status", .integer(200)), ("realm", .string("bench")), ("key", .string("app")),
            ("outcome", .string("token")), ("source", .string("database")), ("route", .string("/api/token")),
            ("ms", .milliseconds(.microseconds(700))), ("cold", .bool(false)), ("ms_left", .milliseconds(.seconds(9))),
        ]
        var table = Report.Table(
            title: "What the audit adds to the log's line of a hit: the token's fingerprint and the caller",
            columns: ["token", "statements", "µs, with both", "without", "µs added (least – most)"], rows: [])
        for length in [40, 160, 512, 4_096] {
            let token = Redacted(String(repeating: "t", count: length))
            var pair = Pair()
            var added = Sample()
            for _ in 0..<rounds.count {
                let first = time {
                    logger.log(.info, "invocation") { line in
                        for (name, value) in members { line.member(name, value) }
                        line.member("token", .string(Fingerprint.of(token)))
                        line.member("caller", .string("0123456789abcdef"))
                    }
                }
                let second = time {
                    logger.log(.info, "invocation") { line in
                        for (name, value) in members { line.member(name, value) }
                    }
                }
                pair.add(first, second)
                added.add(first - second)
            }
            // What writes it has no database to ask.
            table.rows.append([
                "\(length) bytes", "0", decimal(pair.first.median, digits: 1), decimal(pair.second.median, digits: 1),
                added.shown(digits: 1),
            ])
        }
        return [table]
    }

    /// Microseconds of one line.
    private static func time(_ write: () -> Void) -> Double {
        let clock = SystemClock()
        let start = clock.now()
        for _ in 0..<lines { write() }
        return start.elapsed(to: clock.now()) / .microseconds(1) / Double(lines)
    }
}
