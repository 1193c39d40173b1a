import Costs
import Foundation
import JSON
import Testing

/// The sums, against tables that were worked out by hand from the clouds' price pages.
@Suite struct BillTests {
    /// Ten thousand calls in one hour on Function Compute.
    struct Hour: Sendable, CustomTestStringConvertible {
        var instances: Int64
        /// With at least one request, over all instances.
        var busy: Duration
        var vcpu: Double
        var megabytes: Int64
        var active: Double
        var idle: Double
        var billed: Double
        var cost: Double

        var testDescription: String { "\(instances) instances, \(busy), \(vcpu) vCPU, \(megabytes) MB" }
    }

    private static let hours = [
        Hour(
            instances: 250, busy: .seconds(1_015), vcpu: 0.1, megabytes: 128, active: 195.5, idle: 281.3, billed: 477,
            cost: 0.0525),
        Hour(
            instances: 250, busy: .seconds(1_015), vcpu: 0.05, megabytes: 128, active: 144.8, idle: 281.3,
            billed: 427, cost: 0.0470),
        Hour(
            instances: 25, busy: .seconds(100), vcpu: 0.05, megabytes: 128, active: 81.9, idle: 28.1, billed: 110,
            cost: 0.0121),
        Hour(
            instances: 3, busy: .seconds(18), vcpu: 0.1, megabytes: 128, active: 77.1, idle: 3.4, billed: 81,
            cost: 0.0100),
        Hour(
            instances: 1, busy: .seconds(10), vcpu: 0.1, megabytes: 128, active: 76.2, idle: 1.1, billed: 78,
            cost: 0.0100),
        Hour(
            instances: 3, busy: .seconds(18), vcpu: 0.35, megabytes: 512, active: 82.7, idle: 13.5, billed: 97,
            cost: 0.0107),
    ]

    @Test(arguments: hours) func `an hour of Function Compute costs what its table says`(_ hour: Hour) throws {
        let sheet = try PriceSheet.compute()
        let account = FunctionAccount(
            invocations: 10_000, instances: hour.instances, billed: .zero, busy: hour.busy)
        let size = Bill.Size(megabytes: hour.megabytes, vcpu: hour.vcpu)
        let units = try Bill.units(account, size, sheet)
        #expect(abs(units.active - hour.active) <= 0.051)
        #expect(abs(units.idle - hour.idle) <= 0.051)
        #expect(units.billed == hour.billed)
        let bill = try Bill.compute(account, size, sheet)
        #expect(abs(bill.cost - hour.cost) <= 0.00005)
    }

    @Test func `a function that nobody called costs nothing`() throws {
        let account = FunctionAccount(invocations: 0, instances: 0, billed: .zero, busy: .zero)
        let bill = try Bill.compute(account, Bill.Size(megabytes: 128, vcpu: 0.1), try PriceSheet.compute())
        #expect(bill.cost == 0)
    }

    @Test(arguments: [(1, 1.25, 0.002021), (5, 6.25, 0.002104), (10, 12.5, 0.002208), (50, 62.5, 0.003042)])
    func `ten thousand calls of Lambda cost what its table says`(
        milliseconds: Int64, gigabyteSeconds: Double, cost: Double
    ) throws {
        let account = FunctionAccount(
            invocations: 10_000, instances: 1, billed: .milliseconds(10_000 * milliseconds), busy: .zero)
        let bill = try Bill.lambda(account, Bill.Size(megabytes: 128, vcpu: 0), try PriceSheet.lambda())
        #expect(abs(bill.gigabyteSeconds - gigabyteSeconds) < 0.000_001)
        #expect(abs(bill.cost - cost) <= 0.000_000_5)
    }

    @Test(arguments: [(Duration.seconds(10), 1.3957), (.microseconds(101_500), 0.0273), (.milliseconds(200), 0.0409)])
    func `the predecessor's calls cost what it printed, and what its own tariff gives`(
        each: Duration, cost: Double
    ) throws {
        let size = Bill.Size(megabytes: 128, vcpu: 0.1)
        let bill = try Bill.compute2022(calls: 10_000, each: each, size, try PriceSheet.compute2022())
        #expect(abs(bill.cost - cost) <= 0.00005)
    }

    @Test func `the bills of two functions add up, field by field`() throws {
        let account = FunctionAccount(invocations: 10_000, instances: 3, billed: .seconds(9), busy: .seconds(18))
        let size = Bill.Size(megabytes: 512, vcpu: 0.35)
        let bill = try Bill.compute(account, size, try PriceSheet.compute())
        #expect(bill.billed == .seconds(18))
        #expect(abs(bill.gigabyteSeconds - 9) < 0.000_001)
        #expect(abs(bill.vcpuSeconds - 6.3) < 0.000_001)
        #expect(bill.idle == .seconds(180))
        let both = bill + bill
        #expect(both.billed == .seconds(36))
        #expect(both.idle == .seconds(360))
        #expect(both.gigabyteSeconds == 2 * bill.gigabyteSeconds)
        #expect(both.vcpuSeconds == 2 * bill.vcpuSeconds)
        #expect(both.cost == 2 * bill.cost)
    }

    @Test func `a sum is in both currencies, by the dated rate`() throws {
        let exchange = try PriceSheet(
            parsing: Array(
                #"{"name": "n", "date": "d", "source": "s", "currency": "CNY", "per_dollar": 8}"#.utf8))
        let (yuan, dollars) = (try Money(1.6, .yuan, exchange), try Money(0.2, .dollars, exchange))
        #expect(abs(yuan.dollars - 0.2) < 0.000_001)
        #expect(abs(dollars.yuan - 1.6) < 0.000_001)
        #expect((dollars * 10).dollars == 2)
        #expect(try PriceSheet.exchange().price("per_dollar") > 1)
    }

    @Test func `the first size of each cloud's sheet is the one that its template gives both functions`() throws {
        let lambda = try #require(try PriceSheet.lambda().sizes().first)
        let compute = try #require(try PriceSheet.compute().sizes().first)
        let sam = try repositoryFile("template.yml")
        let fc3 = try repositoryFile("s.yaml")
        #expect(sam.matches(of: /MemorySize: (\d+)/).map { Int64($0.1) } == [lambda.megabytes, lambda.megabytes])
        #expect(fc3.matches(of: /memorySize: (\d+)/).map { Int64($0.1) } == [compute.megabytes, compute.megabytes])
        #expect(fc3.matches(of: /cpu: ([0-9.]+)/).map { Double($0.1) } == [compute.vcpu, compute.vcpu])
        // 1,769 MB are one vCPU.
        #expect(abs(lambda.vcpu - 0.072_357) < 0.000_001)
    }

    @Test func `an account is read whole or not at all`() throws {
        var totals = JSON.Object([
            (name: "invocations", value: 3), (name: "failures", value: 1), (name: "instances_started", value: 2),
            (name: "billed_ms", value: 7), (name: "busy_ms", value: 5),
        ])
        let account = FunctionAccount(["totals": .object(totals)])
        #expect(
            account
                == FunctionAccount(
                    invocations: 3, failures: 1, instances: 2, billed: .milliseconds(7), busy: .milliseconds(5)))
        totals["busy_ms"] = nil
        #expect(FunctionAccount(["totals": .object(totals)]) == nil)
    }

    @Test(arguments: ["name", "date", "source", "currency"]) func `a sheet without its origin is no sheet`(
        member: String
    ) throws {
        var sheet: JSON.Object = ["name": "n", "date": "d", "source": "s", "currency": "USD", "per_cu": 1]
        _ = try PriceSheet(parsing: JSON.Value.object(sheet).encoded)
        sheet[member] = nil
        let text = JSON.Value.object(sheet).encoded
        #expect(throws: PriceSheet.Malformed.self) { try PriceSheet(parsing: text) }
    }
}

/// A file of the project, by its path in it.
func repositoryFile(_ path: String) throws -> String {
    var folder = URL(filePath: #filePath)
    for _ in 0..<4 { folder.deleteLastPathComponent() }
    return try String(contentsOf: folder.appending(path: path), encoding: .utf8)
}
