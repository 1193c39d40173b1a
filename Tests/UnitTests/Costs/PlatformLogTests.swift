import Costs
import JSON
import Testing

/// Whether an account is the log's, and that each way of being another's shows.
@Suite struct PlatformLogTests {
    private static let lambdaLines = [
        "{\"level\":\"info\",\"event\":\"invocation\",\"request_id\":\"a\",\"ms\":0.7}",
        "REPORT RequestId: a\tDuration: 0.71 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB\tInit Duration: 11.80 ms",
        "REPORT RequestId: b\tDuration: 1.20 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB\tStatus: error",
        "REPORT RequestId: c\tDuration: 0.50 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB",
    ]
    private static let computeLines = [
        "FC Invoke Start RequestId: a", "FC Invoke Start RequestId: b", "FC Invoke End RequestId: a\tDuration: 0.71 ms",
        "FC Invoke End RequestId: b, Error: crash\tDuration: 1.20 ms",
        "FC Instance Idle token-server/1\tBilled Duration: 9 ms",
        "FC Instance Idle token-server/12\tBilled Duration: 4 ms", "FC Invoke Start RequestId: c",
        "FC Invoke End RequestId: c\tDuration: 0.50 ms\tPrice: $0.000000671 ¥0.000003800",
        "FC Instance Idle token-server-cache/1\tBilled Duration: 3 ms",
    ]

    private func account(busy: Int64, billed: Int64, _ entries: [(String, String, Int64)]) throws -> JSON.Value {
        [
            "totals": [
                "invocations": JSON.Value(Int64(entries.count)), "failures": 0, "instances_started": 1,
                "billed_ms": JSON.Value(billed), "busy_ms": JSON.Value(busy),
            ],
            "invocations": .array(
                try entries.map { id, duration, billed in
                    [
                        "request_id": .string(id), "duration_ms": try JSON.Value(parsing: duration.utf8),
                        "billed_ms": JSON.Value(billed),
                    ]
                }),
        ]
    }

    private func lambda(
        billed: Int64 = 15, _ server: [(String, String, Int64)] = [("a", "0.71", 13), ("b", "1.20", 2)]
    ) throws -> [String: JSON.Value] {
        [
            "token-server": try account(busy: 0, billed: billed, server),
            "token-server-cache": try account(busy: 0, billed: 1, [("c", "0.50", 1)]),
        ]
    }

    private func compute(busy: Int64 = 13) throws -> [String: JSON.Value] {
        [
            "token-server": try account(busy: busy, billed: 3, [("a", "0.71", 1), ("b", "1.20", 2)]),
            "token-server-cache": try account(busy: 3, billed: 1, [("c", "0.50", 1)]),
        ]
    }

    private func log(_ lines: [String]) -> PlatformLog {
        var log = PlatformLog()
        for line in lines where PlatformLog.tellsOfAnEnd(Array(line.utf8)[...]) { log.read(Substring(line)) }
        return log
    }

    @Test func `accounts that say what the log says agree with it`() throws {
        #expect(log(Self.lambdaLines).count == 3)
        #expect(log(Self.computeLines).count == 3)
        #expect(try log(Self.lambdaLines).disagreement(with: lambda()) == nil)
        #expect(try log(Self.computeLines).disagreement(with: compute()) == nil)
    }

    @Test(arguments: 1...3) func `a line that is missing or comes twice is a disagreement`(line: Int) throws {
        var lines = Self.lambdaLines
        lines.remove(at: line)
        #expect(try log(lines).disagreement(with: lambda()) != nil)
        #expect(try log(Self.lambdaLines + [Self.lambdaLines[line]]).disagreement(with: lambda()) != nil)
    }

    @Test(arguments: [2, 3, 4, 5, 7, 8]) func `so it is on Function Compute, busy times included`(line: Int) throws {
        var lines = Self.computeLines
        lines.remove(at: line)
        #expect(try log(lines).disagreement(with: compute()) != nil)
        #expect(try log(Self.computeLines + [Self.computeLines[line]]).disagreement(with: compute()) != nil)
    }

    @Test func `another duration, another sum and another's invocation are disagreements`() throws {
        let log = log(Self.lambdaLines)
        for server in [
            [("a", "0.72", 13), ("b", "1.20", 2)], [("a", "0.71", 12), ("b", "1.20", 2)],
            [("a", "0.71", 13), ("z", "1.20", 2)], [("a", "0.71", 13), ("c", "0.50", 1)],
            [("a", "0.71", 13)],
        ] as [[(String, String, Int64)]] {
            #expect(try log.disagreement(with: lambda(server)) != nil)
        }
        #expect(try log.disagreement(with: lambda(billed: 16)) != nil)
        #expect(try self.log(Self.computeLines).disagreement(with: compute(busy: 14)) != nil)
        #expect(log.disagreement(with: ["token-server": [:]]) != nil)
    }
}
