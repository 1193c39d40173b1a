internal import Clocks
internal import Glibc
internal import Log
internal import TokenAPI

/// What the log's line of a hit costs for telling who read which token, instead of a row of the audit.
enum LogLineCosts {
    private static let lines = 20_000

    /// A hit's line with the token's fingerprint and the caller, and without, in turn; both are written to nowhere.
    static func row(_ rounds: Rounds) throws -> [String] {
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
        let token = Redacted(String(repeating: "t", count: SecurityCosts.tokenBytes))
        var pair = Pair()
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
        }
        // What writes it has no database to ask.
        return SecurityCosts.row("who read which token, in the log's line", (0, 0), pair)
    }

    /// Microseconds of one line.
    private static func time(_ write: () -> Void) -> Double {
        let clock = SystemClock()
        let start = clock.now()
        for _ in 0..<lines { write() }
        return start.elapsed(to: clock.now()) / .microseconds(1) / Double(lines)
    }
}
