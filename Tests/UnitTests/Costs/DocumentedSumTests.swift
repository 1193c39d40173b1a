import Costs
import Foundation
import Testing

/// The sums that docs/cost.md works out by hand, factor by factor against the price sheets and once more by arithmetic of its own.
@Suite struct DocumentedSumTests {
    private let text: String
    private let compute: PriceSheet
    private let lambda: PriceSheet

    init() throws {
        text = try repositoryFile("docs/cost.md")
        compute = try PriceSheet.compute()
        lambda = try PriceSheet.lambda()
    }

    /// The numbers of the one line that begins so, in their order.
    private func numbers(ofLine beginning: String) throws -> [Double] {
        let lines = text.split(separator: "\n").filter { $0.hasPrefix(beginning) }
        try #require(lines.count == 1, "one line begins with \(beginning)")
        return lines[0].dropFirst(beginning.count).matches(of: /\d[\d,]*(\.\d+)?/).compactMap {
            Double($0.output.0.replacing(",", with: ""))
        }
    }

    private func expect(_ found: [Double], _ expected: [Double], _ digits: [Int: Int] = [:]) {
        #expect(found.count == expected.count, "\(found)")
        for (index, (one, other)) in zip(found, expected).enumerated() {
            // What was worked out is rounded to so many decimals; what was taken is the same.
            let tolerance = digits[index].map { 0.500_001 * pow(10, -Double($0)) } ?? 1e-12
            #expect(abs(one - other) <= tolerance, "\(index): \(one), expected \(other)")
        }
    }

    @Test func `the sum of Function Compute is what the price sheet gives, part by part`() throws {
        let given = try numbers(ofLine: "*Function Compute, 1 at once*, without the cache, 10,000 calls in one run: ")
        try #require(given.count == 5)
        let (instances, invocations, milliseconds, vcpu) = (given[0], given[1], given[2], given[3])
        let gigabytes = given[4] / 1_024
        let perVCPU = try compute.price("cu_per_vcpu_second")
        let perGB = try compute.price("cu_per_gb_second")
        let perIdleGB = try compute.price("cu_per_idle_gb_second")
        let idleSeconds = try compute.price("idle_seconds_per_instance")
        let perUnit = try compute.price("per_cu")
        // The sum leaves out the factor one.
        #expect(perVCPU == 1)

        let calls = try invocations * compute.price("cu_per_request")
        let busy = milliseconds / 1_000 * (vcpu * perVCPU + gigabytes * perGB)
        let idle = instances * idleSeconds * perIdleGB * gigabytes
        let units = (calls + busy + idle).rounded(.up)
        let rate = try PriceSheet.exchange().price("per_dollar")
        let perTenThousand = try compute.price("cu_per_request") * 10_000
        expect(
            try numbers(ofLine: "| invocations | "), [invocations, perTenThousand, 10_000, calls], [3: 2])
        expect(
            try numbers(ofLine: "| time with requests | "), [milliseconds / 1_000, vcpu, perGB, gigabytes, busy], [4: 2]
        )
        expect(
            try numbers(ofLine: "| the minute after the last request | "),
            [instances, idleSeconds, perIdleGB, gigabytes, idle], [4: 2])
        expect(try numbers(ofLine: "| together, rounded up | "), [units])
        let least = try compute.price("least_per_function_hour")
        expect(
            try numbers(ofLine: "\(Int(units)) × "), [perUnit, units * perUnit, rate, units * perUnit / rate, least],
            [1: 5, 3: 5])
        #expect(units * perUnit > least)

        let account = FunctionAccount(
            invocations: Int64(invocations), instances: Int64(instances), billed: .zero,
            busy: .milliseconds(Int64(milliseconds)))
        let bill = try Bill.compute(account, Bill.Size(megabytes: Int64(given[4]), vcpu: vcpu), compute)
        #expect(abs(bill.cost - units * perUnit) < 1e-12)
    }

    @Test func `the sum of Lambda is what the price sheet gives`() throws {
        let found = try numbers(ofLine: "*AWS Lambda, 8 instances at most*, without the cache: ")
        try #require(found.count == 8)
        let (invocations, seconds) = (found[0], found[2])
        let (perRequest, perSecond) = (try lambda.price("per_request"), try lambda.price("per_gb_second"))
        let (requests, time) = (invocations * perRequest, seconds * 0.125 * perSecond)
        expect(
            found, [invocations, perRequest, seconds, 0.125, perSecond, requests, time, requests + time],
            [5: 7, 6: 7, 7: 5])
        let account = FunctionAccount(
            invocations: Int64(invocations), instances: 8, billed: .seconds(1) * seconds, busy: .zero)
        let bill = try Bill.lambda(account, try lambda.sizes()[0], lambda)
        #expect(abs(bill.cost - requests - time) < 1e-12)
    }

    @Test func `what a millisecond more and three hundred idle minutes would cost follows from the price sheets`()
        throws
    {
        let unit = try compute.price("per_cu")
        let size = try compute.sizes()[0]
        let perGB = try compute.price("cu_per_gb_second")
        let perLambdaSecond = try lambda.price("per_gb_second")
        let further = try numbers(ofLine: "  10,000 × 0.001 s × ")
        expect(
            further,
            [
                0.125, perLambdaSecond, 10 * 0.125 * perLambdaSecond, 10, size.vcpu, perGB, size.gigabytes, unit,
                10 * (size.vcpu + perGB * size.gigabytes) * unit,
            ], [2: 7, 8: 5])
        let idle = try numbers(ofLine: "  instances at one request each, whose idle minutes are ")
        let units = 300 * 60 * (try compute.price("cu_per_idle_gb_second")) * size.gigabytes
        expect(
            idle,
            [
                300, try compute.price("idle_seconds_per_instance"), try compute.price("cu_per_idle_gb_second"),
                size.gigabytes, units, units * unit,
            ], [5: 3])
    }

    @Test func `what README shows of a run is what this page shows of it`() throws {
        let readme = try repositoryFile("README.md")
        let marks = [
            try #require(readme.range(of: "<!-- bench: summary -->")),
            try #require(readme.range(of: "<!-- end of summary -->")),
        ]
        let rows = readme[marks[0].upperBound..<marks[1].lowerBound].split(separator: "\n").filter {
            $0.hasPrefix("| ") && !$0.hasPrefix("| ---") && !$0.hasPrefix("| where |") && !$0.hasPrefix("| measure |")
        }
        #expect(rows.count >= 10)
        let lines = text.split(separator: "\n")
        for row in rows {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            // A cost keeps its first cells and its last; of a measure the last four stay, under another name.
            let isCost = ["yes", "no"].contains(cells[1])
            let beginning = isCost ? "| " + cells.prefix(3).joined(separator: " | ") + " |" : "| "
            let end = "| " + cells.suffix(isCost ? 2 : 4).joined(separator: " | ") + " |"
            #expect(lines.contains { $0.hasPrefix(beginning) && $0.hasSuffix(end) }, "\(row)")
        }
    }
}
