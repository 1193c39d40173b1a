internal import CSystem
internal import Curl
internal import Glibc
internal import HTTP
internal import JSON

/// What ten thousand calls of the real functions cost on both clouds, by the local platform's account and dated price sheets.
enum CallCosts {
    private static let calls = 10_000
    private static let connections = 300
    /// The predecessor's own figures for as many calls.
    private static let predecessor: [[String]] = [
        ["predecessor, as its README printed it", "–", "10000", "–", "–", "–", "¥1.39"],
        ["predecessor, recomputed from the same account", "–", "10000", "–", "–", "–", "¥0.027"],
    ]

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func measure(programs: String, bootstrap: String, data: String) throws -> [Report.Table] {
        let aws = try prices(PackageResources.aws_json)
        let fc = try prices(PackageResources.fc_json)
        var rows: [[String]] = []
        for hasCache in [false, true] {
            let accounts = try run(["--platform", "lambda", "--concurrency", "8"], programs, bootstrap, data, hasCache)
            rows.append(lambdaRow(accounts, aws, hasCache: hasCache))
        }
        for concurrency in [20, 200] {
            for hasCache in [false, true] {
                let options = [
                    "--platform", "fc", "--concurrency", "15", "--instance-concurrency", String(concurrency),
                ]
                let accounts = try run(options, programs, bootstrap, data, hasCache)
                rows.append(computeRow(accounts, fc, concurrency: concurrency, hasCache: hasCache))
            }
        }
        let sheets = [aws, fc].map { sheet in
            ["name", "date", "source"].map { sheet[$0]?.string ?? "" }
        }
        return [
            Report.Table(
                title:
                    "\(calls) calls for one token, \(connections) connections, 128 MB (and 0.1 vCPU), within one hour",
                columns: ["where", "instances", "invocations", "failures", "billed ms", "GB-s", "cost"],
                rows: rows + predecessor),
            Report.Table(title: "Price sheets", columns: ["name", "date", "source"], rows: sheets),
        ]
    }

    private static func prices(_ bytes: [UInt8]) throws -> JSON.Value { try JSON.Value(parsing: bytes) }

    // MARK: Sums

    /// The sums of one function's account.
    private struct Account {
        var invocations = 0.0
        var failures = 0.0
        var billed = 0.0
        var busy = 0.0
        var instances = 0.0

        init(_ totals: JSON.Value?) {
            func number(_ name: String) -> Double { totals?[name]?.number?.double ?? 0 }
            invocations = number("invocations")
            failures = number("failures")
            billed = number("billed_ms")
            busy = number("busy_ms")
            instances = number("instances_started")
        }
    }

    private static let gigabytes = 0.125
    private static let vcpu = 0.1

    /// Requests and billed milliseconds, init included.
    private static func lambdaRow(_ accounts: [Account], _ prices: JSON.Value, hasCache: Bool) -> [String] {
        let requests = accounts.reduce(0) { $0 + $1.invocations }
        let billed = accounts.reduce(0) { $0 + $1.billed }
        let seconds = billed / 1_000 * gigabytes
        let cost = requests * price(prices, "per_request") + seconds * price(prices, "per_gb_second")
        return row(
            "AWS Lambda" + (hasCache ? ", through the cache function" : ""), accounts, billed, seconds,
            "$\(shown(cost))")
    }

    /// Compute units, rounded up for each function's hour, and its least price; the minute after the last request is idle time.
    private static func computeRow(
        _ accounts: [Account], _ prices: JSON.Value, concurrency: Int, hasCache: Bool
    ) -> [String] {
        var cost = 0.0
        var busy = 0.0
        for account in accounts where account.invocations > 0 {
            let seconds = account.busy / 1_000
            busy += account.busy
            let active = vcpu * price(prices, "cu_per_vcpu_second") + gigabytes * price(prices, "cu_per_gb_second")
            let idle = price(prices, "idle_seconds_per_instance") * gigabytes * price(prices, "cu_per_idle_gb_second")
            let units =
                account.invocations * price(prices, "cu_per_request") + seconds * active + account.instances * idle
            cost += max(price(prices, "least_per_function_hour"), units.rounded(.up) * price(prices, "per_cu"))
        }
        let name = "Function Compute, \(concurrency) at once" + (hasCache ? ", through the cache function" : "")
        return row(name, accounts, busy, busy / 1_000 * gigabytes, "¥\(shown(cost))")
    }

    private static func row(
        _ name: String, _ accounts: [Account], _ milliseconds: Double, _ seconds: Double, _ cost: String
    ) -> [String] {
        func sum(_ part: (Account) -> Double) -> String { String(Int(accounts.reduce(0) { $0 + part($1) })) }
        return [
            name, sum(\.instances), sum(\.invocations), sum(\.failures), String(Int(milliseconds)), shown(seconds),
            cost,
        ]
    }

    private static func price(_ prices: JSON.Value, _ name: String) -> Double {
        guard let price = prices[name]?.number?.double else { preconditionFailure("a price sheet lacks \(name)") }
        return price
    }

    /// Four decimals.
    private static func shown(_ number: Double) -> String {
        let whole = Int64((number * 10_000).rounded())
        let rest = String(whole % 10_000)
        return "\(whole / 10_000)." + String(repeating: "0", count: 4 - rest.utf8.count) + rest
    }

    // MARK: A run

    /// The accounts of the functions after the load: the server's, and before it the cache's where there is one.
    private static func run(
        _ options: [String], _ programs: String, _ bootstrap: String, _ data: String, _ hasCache: Bool
    ) throws -> [Account] {
        complain("cost-benchmark: \(calls) calls, \(options.joined(separator: " "))\(hasCache ? ", cache" : "") …")
        let platform = try Child(
            programs + "/event-server",
            ["run", "--port", "0", "--programs", programs, "--bootstrap", bootstrap, "--data", data] + options)
        defer { platform.stop() }
        var urls: [String: String] = [:]
        while let line = platform.readLine(), !line.hasPrefix("ready") {
            let words = line.split(separator: " ")
            if words.count == 2, words[1].hasPrefix("http://") { urls[String(words[0])] = String(words[1]) }
        }
        guard let server = urls["token-server"], let cache = urls["token-server-cache"],
            let provider = urls["fake-provider"]
        else { throw Failure(description: "the local platform did not start") }
        platform.discardOutput()
        let client = CurlClient()
        func send(_ method: HTTP.Method, _ url: String, _ body: String = "") throws -> ClientResponse {
            var fields = Fields()
            if !body.isEmpty { fields.append(.contentType, "application/json") }
            let request = ClientRequest(method, url: url, fields: fields, body: Array(body.utf8))
            let limits = ClientLimits(total: .seconds(30), responseBytes: 8 << 20)
            let response = try client.send(request, limits: limits, willSend: { true }, didSend: {})
            guard response.status.isSuccess else { throw Failure(description: "\(url): \(response.status.code)") }
            return response
        }
        let realm = """
            {"id":"bench","config":{"url":"\(provider)/cgi-bin/token","arguments":[
              {"name":"appid","place":"url","value":"$key_1"},{"name":"secret","place":"url","value":"s"},
              {"name":"grant_type","place":"url","value":"client_credential"}],
             "token_path":"access_token","expires_in_path":"expires_in"}}
            """
        _ = try send(.post, server + "/api/realm", realm)
        _ = try send(.post, server + "/api/secret", #"{"realm":"bench","key":"app","key_1":"a"}"#)
        let target = (hasCache ? cache : server) + "/api/token?realm=bench&key=app"
        let load = try Child(
            "/usr/bin/ab", ["-q", "-k", "-c", String(connections), "-n", String(calls), target])
        var complete = false
        while let line = load.readLine() {
            if line.hasPrefix("Complete requests:"), line.hasSuffix(" \(calls)") { complete = true }
        }
        guard complete else { throw Failure(description: "ab did not complete \(calls) requests") }
        return try (hasCache ? [server, cache] : [server]).map { url in
            let body = try send(.get, url + "/_event-server/invocations").body
            return Account(try JSON.Value(parsing: body)["totals"])
        }
    }

    private static func complain(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// A program whose output is read here; it ends with this one.
private final class Child {
    private let id: pid_t
    private let output: Int32
    private var pending: [UInt8] = []

    init(_ program: String, _ arguments: [String]) throws {
        var readEnd: Int32 = -1
        var writeEnd: Int32 = -1
        guard unsafe csystem_pipe(&readEnd, &writeEnd) == 0 else { throw CallCosts.Failure(description: "no pipe") }
        var id: pid_t = 0
        let words = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        let settings = ["PATH=/usr/bin:/bin"]
        let variables = unsafe settings.map { unsafe strdup($0) } + [nil]
        let failure = unsafe csystem_spawn(program, words, variables, writeEnd, writeEnd, &id)
        unsafe (words + variables).forEach { unsafe free($0) }
        close(writeEnd)
        guard failure == 0 else {
            close(readEnd)
            throw CallCosts.Failure(description: "\(program) cannot be started")
        }
        self.id = id
        output = readEnd
    }

    /// Nil when the program has closed its output.
    func readLine() -> String? {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeSubrange(...end)
                return line
            }
            var buffer = [UInt8](repeating: 0, count: 16 << 10)
            let count = unsafe read(output, &buffer, buffer.count)
            if count <= 0 { return nil }
            pending += buffer[..<count]
        }
    }

    /// Reads on and forgets, so that the program never waits for a full pipe.
    func discardOutput() {
        let output = output
        var thread = pthread_t()
        let context = unsafe UnsafeMutableRawPointer(bitPattern: Int(output) + 1)
        _ = unsafe pthread_create(
            &thread, nil,
            { context in
                let output = Int32(Int(bitPattern: context) - 1)
                var buffer = [UInt8](repeating: 0, count: 64 << 10)
                while unsafe read(output, &buffer, buffer.count) > 0 {}
                return nil
            }, context)
        pthread_detach(thread)
    }

    func stop() {
        kill(id, SIGTERM)
        _ = csystem_reap(id)
    }
}
