import Costs
import Foundation
import JSON
import Testing

/// The account that `cost-benchmark` multiplies by prices, against what the platform wrote when each invocation ended.
@Suite(.serialized) struct AccountTests {
    /// What the log says when invocations end.
    private struct Log {
        /// By request: how long it took.
        var durations: [String: String] = [:]
        /// By request: what it costs, as it is printed.
        var prices: [String: [String]] = [:]
        /// By request on Lambda, by function on Function Compute: whole milliseconds.
        var billed: [String: Int64] = [:]

        init(_ output: String) {
            for line in output.split(separator: "\n") {
                let words = line.split { $0 == " " || $0 == "\t" || $0 == "," || $0 == "/" }.map { String($0) }
                func number(after label: [String]) -> String? {
                    words.indices.first { words[$0...].starts(with: label) }.map { words[$0 + label.count] }
                }
                let billed = number(after: ["Billed", "Duration:"]).flatMap { Int64($0) } ?? 0
                if line.hasPrefix("REPORT RequestId: ") {
                    durations[words[2]] = number(after: ["Duration:"])
                    prices[words[2]] = Array(words.drop { $0 != "Price:" }.dropFirst().prefix(2))
                    self.billed[words[2]] = billed
                } else if line.hasPrefix("FC Invoke End RequestId: ") {
                    durations[words[4]] = number(after: ["Duration:"])
                    prices[words[4]] = Array(words.drop { $0 != "Price:" }.dropFirst().prefix(2))
                } else if line.hasPrefix("FC Instance Idle ") {
                    self.billed[words[3], default: 0] += billed
                }
            }
        }
    }

    private func account(_ url: String) throws -> JSON.Value {
        try OneShotHTTP.send("GET", url + "/_event-server/invocations").json()
    }

    @Test(arguments: ["lambda", "fc"])
    func `invocations and milliseconds of the account are those of the log, line by line`(cloud: String) throws {
        var options = ["--platform", cloud, "--concurrency", "3"]
        if cloud == "fc" { options += ["--instance-concurrency", "5"] }
        try LocalPlatform.run(options: options) { platform in
            concurrently(12) { caller in
                for call in 0..<10 {
                    let url = caller.isMultiple(of: 2) ? platform.url : platform.cache
                    // A 404 is an invocation as well; a 429 of the platform is none.
                    _ = try? OneShotHTTP.send("GET", url + (call == 0 ? "/api/none" : "/pong"))
                }
            }
            try expectAccountsToBeTheLog(of: platform, cloud: cloud, ofAtLeast: 60)
        }
    }

    @Test(arguments: ["lambda", "fc"], [["-n", "2500"], ["-t", "1", "-n", "100000000"]])
    func `so they are under the load of three hundred connections that the cost of calls is measured with`(
        cloud: String, amount: [String]
    ) throws {
        var options = ["--platform", cloud, "--concurrency", cloud == "fc" ? "300" : "8"]
        if cloud == "fc" { options += ["--instance-concurrency", "20"] }
        try LocalPlatform.run(options: options) { platform in
            var calls = 0
            for url in [platform.url, platform.cache] {
                let load = try Program.run(
                    "/usr/bin/ab", ["-q", "-k", "-l", "-s", "300", "-c", "300"] + amount + [url + "/pong"])
                #expect(load.status == 0, "\(load.errors)")
                let complete = load.output.firstMatch(of: /Complete requests: +(\d+)/).flatMap { Int($0.1) }
                calls += try #require(complete)
            }
            #expect(calls > 0)
            // The cache passes on what is not a token: each of its calls is one of the server's as well.
            try expectAccountsToBeTheLog(of: platform, cloud: cloud, ofAtLeast: calls)
        }
    }

    /// Waits until nothing is under way; the newest invocations, which an account lists, are compared one by one, all of them in sum.
    private func expectAccountsToBeTheLog(
        of platform: LocalPlatform, cloud: String, ofAtLeast count: Int
    ) throws {
        // An invocation is entered when its instance is free again, a moment after its answer.
        func accounts() throws -> [JSON.Value] { try [account(platform.url), account(platform.cache)] }
        func invocations(_ texts: [JSON.Value]) -> Int64 {
            texts.reduce(0) { $0 + (FunctionAccount($1)?.invocations ?? 0) }
        }
        var texts = try accounts()
        var log = Log("")
        for _ in 0..<600 {
            usleep(100_000)
            let before = invocations(texts)
            texts = try accounts()
            guard invocations(texts) >= count, invocations(texts) == before else { continue }
            log = Log(platform.process.output)
            if log.durations.count == before { break }
        }
        #expect(log.durations.count >= count)

        var seen: Set<String> = []
        var billed: Int64 = 0
        for (name, text) in zip(["token-server", "token-server-cache"], texts) {
            let account = try #require(FunctionAccount(text))
            let entries = text["invocations"]?.array ?? []
            #expect(entries.count == min(1_000, Int(account.invocations)))
            billed += text["totals"]?["billed_ms"]?.number?.integer ?? 0
            for entry in entries {
                let id = try #require(entry["request_id"]?.string)
                #expect(seen.insert(id).inserted)
                #expect(log.durations[id] == entry["duration_ms"]?.number?.text)
                if cloud == "lambda" { #expect(log.billed[id] == entry["billed_ms"]?.number?.integer) }
            }
            if cloud == "fc" { #expect(account.busy == .milliseconds(log.billed[name] ?? 0)) }
        }
        if cloud == "lambda" { #expect(billed == log.billed.values.reduce(0, +)) }
        #expect(log.billed.values.contains { $0 > 0 })
    }

    /// The account of what the platform asks when it starts, and of five calls, none of them beside another.
    private func accountOfFiveCalls(_ url: String) throws -> JSON.Value {
        var text = JSON.Value.null
        /// A call is entered when its instance is free again, a moment after its answer.
        func waitForInvocations(_ count: Int64) throws -> Int64 {
            var entered: Int64 = 0
            try wait {
                text = try account(url)
                entered = text["totals"]?["invocations"]?.number?.integer ?? 0
                return entered >= count
            }
            return entered
        }
        var count = try waitForInvocations(1)
        for _ in 0..<5 {
            _ = try OneShotHTTP.send("GET", url + "/pong")
            count = try waitForInvocations(count + 1)
        }
        return text
    }

    @Test(arguments: ["lambda", "fc"])
    func `each invocation is listed with what it took, and is cold for one request of each instance`(cloud: String)
        throws
    {
        try LocalPlatform.run(options: ["--platform", cloud, "--memory", "256"]) { platform in
            let text = try accountOfFiveCalls(platform.url)
            let entries = text["invocations"]?.array ?? []
            #expect(entries.count >= 6)
            var colds: [Int64: Int] = [:]
            for entry in entries {
                #expect(entry["request_id"]?.string?.count == 36)
                #expect(entry["status"] == "ok")
                #expect(entry["memory_mb"] == 256)
                #expect((entry["peak_memory_kb"]?.number?.integer ?? 0) > 1_000)
                let duration = try #require(entry["duration_ms"]?.number.flatMap { Double($0.text) })
                let start = entry["init_ms"]?.number.flatMap { Double($0.text) }
                #expect(entry["cold"] == .bool(start != nil))
                let billed = try #require(entry["billed_ms"]?.number?.integer)
                // Two decimals are printed of each.
                #expect(abs(Double(billed) - duration - (start ?? 0) - 0.5) <= 0.52)
                if let start {
                    #expect(start > 0)
                    colds[try #require(entry["instance"]?.number?.integer), default: 0] += 1
                }
            }
            #expect(colds.values.allSatisfy { $0 == 1 })
            #expect(Int64(colds.count) == text["totals"]?["cold_starts"]?.number?.integer)
            #expect(colds.isEmpty == false)
        }
    }

    /// By hand from the clouds' price pages: 256 MB, half a processor.
    @Test(arguments: ["lambda", "fc"])
    func `each invocation says what it costs in dollars and yuan, and the totals are their sum`(cloud: String) throws {
        let options = ["--platform", cloud, "--memory", "256", "--cpu", "0.5", "--concurrency", "1"]
        try LocalPlatform.run(options: options) { platform in
            let text = try accountOfFiveCalls(platform.url)
            let rate = try PriceSheet.exchange().price("per_dollar")
            var dollars = 0.0
            let entries = text["invocations"]?.array ?? []
            // The line comes a moment after the entry.
            var log = Log(platform.process.output)
            wait {
                log = Log(platform.process.output)
                return entries.allSatisfy { log.prices[$0["request_id"]?.string ?? ""] != nil }
            }
            #expect(entries.count >= 6)
            for entry in entries {
                let id = try #require(entry["request_id"]?.string)
                let inDollars = try #require(entry["price_usd"]?.number)
                let inYuan = try #require(entry["price_cny"]?.number)
                #expect(log.prices[id] == ["$" + inDollars.text, "¥" + inYuan.text])
                #expect(abs((inYuan.double ?? 0) - (inDollars.double ?? 0) * rate) < 0.000_000_006)
                let billed = try #require(entry["billed_ms"]?.number?.double)
                let took = try #require(entry["duration_ms"]?.number?.double).rounded(.up)
                // A begun millisecond counts, and two decimals do not always show that it has begun.
                let sums =
                    cloud == "lambda"
                    ? [0.0000002 + billed / 1_000 * 0.25 * 0.0000166667]
                    : [took, took + 1].map { milliseconds in
                        (75.0 / 10_000 + milliseconds / 1_000 * (0.5 + 0.15 * 0.25)) * 0.00011
                    }
                let price = try #require(cloud == "lambda" ? inDollars.double : inYuan.double)
                #expect(sums.contains { abs(price - $0) < 0.000_000_001 }, "\(price) is none of \(sums)")
                dollars += inDollars.double ?? 0
            }
            let total = try #require(text["totals"]?["price_usd"]?.number?.double)
            // On Function Compute the time in which the instance has requests counts once, and a little more than they take.
            #expect(cloud == "fc" ? total > dollars * 0.9 : abs(total - dollars) < 0.000_000_01)
        }
    }
}
