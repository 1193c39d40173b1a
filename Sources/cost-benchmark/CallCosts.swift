internal import Clocks
internal import Costs

/// What calls of the real functions cost on both clouds, by the local platform's account and dated price sheets.
struct CallCosts {
    /// What is measured.
    struct Wish {
        /// In the first of the two loads.
        var calls = 10_000
        /// The second goes on for so long.
        var seconds = 5
        /// The functions' instances on Lambda.
        var instances = [8, 20]
        /// Requests at once for an instance of Function Compute: one as on Lambda, what the template gives the server and the
        /// cache, and between.
        var instanceConcurrencies = [1, 20, 100, 200]

        fileprivate var clouds: [CallRun.Cloud] {
            instances.map { .lambda(instances: $0) } + instanceConcurrencies.map { .compute(instanceConcurrency: $0) }
        }
    }

    private let lambda: PriceSheet
    private let compute: PriceSheet
    private let compute2022: PriceSheet
    private let exchange: PriceSheet

    private init() throws {
        lambda = try PriceSheet.lambda()
        compute = try PriceSheet.compute()
        compute2022 = try PriceSheet.compute2022()
        exchange = try PriceSheet.exchange()
    }

    /// The sheet that a cloud bills by.
    private func sheet(_ cloud: CallRun.Cloud) -> PriceSheet {
        switch cloud {
        case .lambda: lambda
        case .compute: compute
        }
    }

    private func bill(_ run: CallRun, on cloud: CallRun.Cloud, _ size: Bill.Size) throws -> Bill {
        let bills = try run.accounts.map { account in
            switch cloud {
            case .lambda: try Bill.lambda(account, size, lambda)
            case .compute: try Bill.compute(account, size, compute)
            }
        }
        return bills.dropFirst().reduce(bills[0], +)
    }

    static func measure(_ wish: Wish, programs: String, bootstrap: String, scratch: String) throws -> [Report.Table] {
        try CallCosts().measure(wish, programs, bootstrap, scratch)
    }

    private func measure(
        _ wish: Wish, _ programs: String, _ bootstrap: String, _ scratch: String
    ) throws -> [Report.Table] {
        let connections = CallRun.connections
        var counted = Report.Table(
            title:
                "\(wish.calls) calls for one token, \(connections) connections, 128 MB (and 0.1 vCPU), within one hour",
            columns: ["where", "through the cache"] + CallCosts.accountColumns, rows: [])
        var timed = Report.Table(
            title:
                "\(connections) connections for \(wish.seconds) s, as the predecessor was measured, 128 MB (and 0.1 vCPU)",
            columns: ["where", "through the cache", "calls", "per second", "failed calls"] + CallCosts.accountColumns
                + ["yuan per 10,000", "dollars per 10,000"], rows: [])
        var sized = Report.Table(
            title: "The same \(wish.calls) calls by the size of an instance",
            columns: ["where", "through the cache", "MB", "vCPU", "GB-s", "vCPU-s", "idle s", "yuan", "dollars"],
            rows: [])
        let scenarios = wish.clouds.flatMap { cloud in [false, true].map { (cloud, $0) } }
        for (index, (cloud, hasCache)) in scenarios.enumerated() {
            let names = [cloud.name, hasCache ? "yes" : "no"]
            let sizes = try sheet(cloud).sizes()
            func run(_ step: Int, _ amount: CallRun.Amount, _ description: String) throws -> CallRun {
                progress(
                    "calls \(2 * index + step) of \(2 * scenarios.count): \(names[0])\(hasCache ? ", through the cache" : ""), "
                        + "\(description) …")
                let run = try CallRun(
                    cloud, amount, throughCache: hasCache, programs: programs, bootstrap: bootstrap, scratch: scratch)
                let cost = try money(try bill(run, on: cloud, sizes[0]), on: cloud)
                progress(
                    "  \(run.load.requests) calls, \(decimal(run.load.perSecond, digits: 0)) a second: "
                        + "¥\(decimal(cost.yuan, digits: 5)), $\(decimal(cost.dollars, digits: 5))")
                return run
            }
            let first = try run(1, .calls(wish.calls), "\(wish.calls) calls")
            counted.rows.append(names + (try cells(first, on: cloud, sizes[0])))
            for size in sizes {
                let bill = try bill(first, on: cloud, size)
                sized.rows.append(
                    names + [String(size.megabytes), decimal(size.vcpu, digits: 2)]
                        + (try CallCosts.amounts(bill) + shown(money(bill, on: cloud))))
            }
            let second = try run(2, .seconds(wish.seconds), "\(connections) connections for \(wish.seconds) s")
            let each =
                try money(try bill(second, on: cloud, sizes[0]), on: cloud) * (10_000 / Double(second.asked))
            timed.rows.append(
                names + [
                    String(second.load.requests), decimal(second.load.perSecond, digits: 0),
                    String(second.load.failures),
                ] + (try cells(second, on: cloud, sizes[0])) + shown(each))
        }
        counted.rows += try predecessorByCalls()
        timed.rows.append(try predecessorByTime())
        return [counted, timed, sized, CallCosts.sheets([lambda, compute, compute2022, exchange])]
    }

    // MARK: Rows

    private static let accountColumns = [
        "instances", "invocations", "failures", "billed ms", "GB-s", "vCPU-s", "idle s", "yuan", "dollars",
    ]

    private func cells(_ run: CallRun, on cloud: CallRun.Cloud, _ size: Bill.Size) throws -> [String] {
        func sum(_ part: (FunctionAccount) -> Int64) -> String { String(run.accounts.reduce(0) { $0 + part($1) }) }
        let bill = try bill(run, on: cloud, size)
        return [
            sum(\.instances), sum(\.invocations), sum(\.failures), String(bill.billed.wholeMilliseconds),
        ] + CallCosts.amounts(bill) + shown(try money(bill, on: cloud))
    }

    private static func amounts(_ bill: Bill) -> [String] {
        [
            decimal(bill.gigabyteSeconds, digits: 4), decimal(bill.vcpuSeconds, digits: 4),
            decimal(bill.idle / .seconds(1), digits: 0),
        ]
    }

    private func money(_ bill: Bill, on cloud: CallRun.Cloud) throws -> Money {
        try Money(bill.cost, sheet(cloud).currency, exchange)
    }

    private func shown(_ money: Money) -> [String] {
        [decimal(money.yuan, digits: 5), decimal(money.dollars, digits: 5)]
    }

    /// The predecessor's own run of May 2022: instances of 128 MB, one request at a time.
    private static let predecessor = (
        calls: 8_546, perSecond: 1_709, instances: 250, mean: Duration.microseconds(101_500)
    )

    /// Its ten thousand calls: as its README printed them, which took milliseconds for units of 100, and what its mean gives.
    private func predecessorByCalls() throws -> [[String]] {
        let (calls, run) = (10_000, CallCosts.predecessor)
        let size = try compute.sizes()[0]
        let printed = try Bill.compute2022(calls: calls, each: .seconds(10), size, compute2022)
        let recomputed = try Bill.compute2022(calls: calls, each: run.mean, size, compute2022)
        let account = FunctionAccount(
            invocations: Int64(calls), instances: Int64(run.instances), billed: run.mean * calls,
            busy: run.mean * calls)
        let today = try Bill.compute(account, size, compute)
        return try [
            ["the predecessor, as its README printed it", "no"] + predecessorCells(printed, calls: calls),
            ["the predecessor, recomputed from the same run", "no"] + predecessorCells(recomputed, calls: calls),
            ["the predecessor, recomputed, by today's tariff", "no"]
                + predecessorCells(today, calls: calls, isToday: true),
        ]
    }

    /// Its five seconds, by the tariff of its time.
    private func predecessorByTime() throws -> [String] {
        let run = CallCosts.predecessor
        let bill = try Bill.compute2022(calls: run.calls, each: run.mean, compute.sizes()[0], compute2022)
        let each = try Money(bill.cost, .yuan, exchange) * (10_000 / Double(run.calls))
        return [
            "the predecessor, by its own report", "no", String(run.calls), String(run.perSecond), "0",
        ] + (try predecessorCells(bill, calls: run.calls)) + shown(each)
    }

    /// - Parameter isToday: before compute units neither vCPU nor idle time was billed.
    private func predecessorCells(_ bill: Bill, calls: Int, isToday: Bool = false) throws -> [String] {
        [
            String(CallCosts.predecessor.instances), String(calls), "0", String(bill.billed.wholeMilliseconds),
            decimal(bill.gigabyteSeconds, digits: 4), isToday ? decimal(bill.vcpuSeconds, digits: 4) : "–",
            isToday ? decimal(bill.idle / .seconds(1), digits: 0) : "–",
        ] + shown(try Money(bill.cost, .yuan, exchange))
    }

    private static func sheets(_ sheets: [PriceSheet]) -> Report.Table {
        Report.Table(
            title: "Price sheets", columns: ["name", "date", "source"],
            rows: sheets.map { [$0.name, $0.date, $0.source] })
    }
}
