internal import Costs
internal import HTTP
internal import JSON

/// What ten thousand calls of the real functions cost on both clouds, by the local platform's account and dated price sheets.
enum CallCosts {
    private static let calls = 10_000
    private static let connections = 300
    private static let size = Bill.Size(gigabytes: 0.125, vcpu: 0.1)
    /// The mean of the predecessor's own run; its README multiplied by ten seconds, for it took milliseconds for units of 100.
    private static let predecessor = (printed: Duration.seconds(10), measured: Duration.microseconds(101_500))

    static func measure(programs: String, bootstrap: String, scratch: String) throws -> [Report.Table] {
        let lambda = try PriceSheet.lambda()
        let compute = try PriceSheet.compute()
        let compute2022 = try PriceSheet.compute2022()
        var rows: [[String]] = []
        for hasCache in [false, true] {
            let accounts = try run(
                ["--platform", "lambda", "--concurrency", "8"], programs, bootstrap, scratch, hasCache)
            let bills = try accounts.map { try Bill.lambda($0, size, lambda) }
            rows.append(row("AWS Lambda", hasCache, accounts, billed: \.billed, bills, "$"))
        }
        for concurrency in [20, 200] {
            for hasCache in [false, true] {
                let options = [
                    "--platform", "fc", "--concurrency", "15", "--instance-concurrency", String(concurrency),
                ]
                let accounts = try run(options, programs, bootstrap, scratch, hasCache)
                let bills = try accounts.map { try Bill.compute($0, size, compute) }
                rows.append(
                    row("Function Compute, \(concurrency) at once", hasCache, accounts, billed: \.busy, bills, "¥"))
            }
        }
        for (name, duration) in [
            ("predecessor, as its README printed it", predecessor.printed),
            ("predecessor, recomputed from the same run", predecessor.measured),
        ] {
            let bill = try Bill.compute2022(
                calls: Int64(calls), each: duration, gigabytes: size.gigabytes, compute2022)
            rows.append([
                name, "250", String(calls), "–", String((duration * calls).milliseconds),
                decimal(bill.gigabyteSeconds, digits: 4), "¥" + decimal(bill.cost, digits: 4),
            ])
        }
        return [
            Report.Table(
                title:
                    "\(calls) calls for one token, \(connections) connections, 128 MB (and 0.1 vCPU), within one hour",
                columns: ["where", "instances", "invocations", "failures", "billed ms", "GB-s", "cost"], rows: rows),
            Report.Table(
                title: "Price sheets", columns: ["name", "date", "source"],
                rows: [lambda, compute, compute2022].map { [$0.name, $0.date, $0.source] }),
        ]
    }

    private static func row(
        _ name: String, _ hasCache: Bool, _ accounts: [FunctionAccount], billed: KeyPath<FunctionAccount, Duration>,
        _ bills: [Bill], _ currency: String
    ) -> [String] {
        func sum(_ part: (FunctionAccount) -> Int64) -> String { String(accounts.reduce(0) { $0 + part($1) }) }
        return [
            name + (hasCache ? ", through the cache function" : ""), sum(\.instances), sum(\.invocations),
            sum(\.failures), sum { $0[keyPath: billed].milliseconds },
            decimal(bills.reduce(0) { $0 + $1.gigabyteSeconds }, digits: 4),
            currency + decimal(bills.reduce(0) { $0 + $1.cost }, digits: 4),
        ]
    }

    /// The accounts of the functions after the load: the server's, and before it the cache's where there is one.
    private static func run(
        _ options: [String], _ programs: String, _ bootstrap: String, _ scratch: String, _ hasCache: Bool
    ) throws -> [FunctionAccount] {
        progress("\(calls) calls, \(options.joined(separator: " "))\(hasCache ? ", cache" : "") …")
        let platform = try Child(
            programs + "/event-server",
            ["run", "--port", "0", "--programs", programs, "--bootstrap", bootstrap, "--data", scratch + "/run"]
                + options)
        defer { platform.stop() }
        var urls: [Substring: String] = [:]
        while let line = platform.readLine(), !line.hasPrefix("ready") {
            let words = line.split(separator: " ")
            if words.count == 2, words[1].hasPrefix("http://") { urls[words[0]] = String(words[1]) }
        }
        guard let server = urls["token-server"], let cache = urls["token-server-cache"],
            let provider = urls["fake-provider"]
        else { throw BenchmarkFailure(description: "the local platform did not start") }
        platform.discardOutput()
        try BenchmarkRealm.register(keys: ["app"], provider: provider, at: server)
        let asked = hasCache ? cache : server
        let load = try Load.run(
            asked + "/api/token?realm=bench&key=app", connections: connections, calls: calls, keepsAlive: true,
            scratch: scratch)
        guard load.requests == calls else { throw BenchmarkFailure(description: "ab did not complete its calls") }
        return try (hasCache ? [server, cache] : [server]).map { url in
            try account(url, ofAtLeast: url == asked ? Int64(calls) : 0)
        }
    }

    /// An invocation is entered when its instance is free again, a moment after its answer.
    private static func account(_ url: String, ofAtLeast invocations: Int64) throws -> FunctionAccount {
        for _ in 0..<500 {
            let body = try send(.get, url + "/_event-server/invocations")
            if let account = FunctionAccount(try JSON.Value(parsing: body)), account.invocations >= invocations {
                return account
            }
            pause(.milliseconds(10))
        }
        throw BenchmarkFailure(description: "the account of \(url) lacks invocations")
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 { components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000 }
}
