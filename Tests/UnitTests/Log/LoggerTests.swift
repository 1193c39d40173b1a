import JSON
import Log
import Synchronization
import Testing

@Suite struct LoggerTests {
    private final class Lines: Sendable {
        let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
    }

    private func logged(_ level: Logger.Level = .debug, _ body: (Logger) -> Void) -> [String] {
        let lines = Lines()
        body(
            Logger(
                level: level,
                write: { bytes in lines.lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } }))
        return lines.all
    }

    @Test func `an event is one line of JSON, whatever is in it`() throws {
        let hostile = "a\"\\\n\r\t\u{0}\u{1}\u{7f}中🙂"
        let lines = logged { $0.log(.warn, "event", ["text": .string(hostile), "n": .integer(-7), "b": .bool(true)]) }
        let line = try #require(lines.first)
        #expect(lines.count == 1)
        #expect(line.hasSuffix("}\n"))
        #expect(line.filter { $0 == "\n" }.count == 1)
        #expect(
            try JSON.Value(parsing: line.utf8) == [
                "level": "warn", "event": "event", "text": .string(hostile), "n": -7, "b": true,
            ])
    }

    /// Around the length for which there is room at first, and far beyond it.
    @Test(arguments: [60, 70, 71, 72, 73, 74, 75] + Array(430...480) + [520, 100_000])
    func `a line of any length is written whole`(length: Int) throws {
        for text in [String(repeating: "x", count: length), String(repeating: "\u{1}", count: length)] {
            let lines = logged {
                $0.log(.info, "e", ["text": .string(text), "n": .integer(.min), "ms": .milliseconds(.zero)])
            }
            #expect(lines.count == 1)
            let seen = try JSON.Value(parsing: try #require(lines.first).utf8)
            #expect(seen["text"]?.string == text)
            #expect(lines.first?.hasSuffix(#""n":-9223372036854775808,"ms":0.000}"# + "\n") == true)
        }
    }

    @Test func `durations are milliseconds with three decimals`() throws {
        let lines = logged { $0.log(.info, "e", ["ms": .milliseconds(.microseconds(12_345))]) }
        #expect(lines.first?.contains("\"ms\":12.345") == true)
    }

    @Test func `what is below the level is not written`() {
        let lines = logged(.warn) { logger in for level in Logger.Level.allCases { logger.log(level, "e") } }
        #expect(lines.count == 2)
    }

    @Test func `a redacted value is shown by nothing`() {
        struct Holder { let secret = Redacted("canary") }
        let secret = Redacted("canary")
        var dumped = ""
        dump([Holder()], to: &dumped)
        let texts = [
            "\(secret)", String(describing: secret), String(reflecting: secret), "\([secret])",
            "\(Optional(secret) as Any)",
            "\(Holder())", String(reflecting: Holder()), dumped,
        ]
        for text in texts { #expect(!text.contains("canary")) }
        #expect(secret.reveal() == "canary")
    }
}
