internal import Costs
internal import Glibc
internal import HTTP
internal import JSON

/// One load for one token on a local platform of its own, which has just been started, and the account of it.
struct CallRun {
    /// What the platform plays, and how it spreads requests over instances.
    enum Cloud {
        /// One request at a time for an instance; at most so many instances, the other requests wait.
        case lambda(instances: Int)
        /// So many requests at a time for an instance, as many instances as that takes.
        case compute(instanceConcurrency: Int)

        var name: String {
            switch self {
            case .lambda(let instances): "AWS Lambda, \(instances) instances at most"
            case .compute(let concurrency): "Function Compute, \(concurrency) at once"
            }
        }

        var options: [String] {
            switch self {
            case .lambda(let instances): ["--platform", "lambda", "--concurrency", String(instances)]
            case .compute(let concurrency):
                [
                    "--platform", "fc", "--concurrency", String(CallRun.connections), "--instance-concurrency",
                    String(concurrency),
                ]
            }
        }
    }

    enum Amount {
        case calls(Int)
        case seconds(Int)
    }

    /// As many as the predecessor was measured with.
    static let connections = 300

    let load: Load
    /// The functions that the callers need: the server, and before it the cache where they ask that one.
    let accounts: [FunctionAccount]
    /// Calls that reached the function that is asked: ab forgets those that are under way when its time is over.
    var asked: Int64 { accounts.last?.invocations ?? 0 }

    /// - Parameters:
    ///   - programs: the folder of the built executables.
    ///   - scratch: a folder whose `platform` is emptied.
    init(
        _ cloud: Cloud, _ amount: Amount, throughCache hasCache: Bool, programs: String, bootstrap: String,
        scratch: String
    ) throws {
        guard unsafe access(bootstrap, X_OK) == 0 else {
            throw BenchmarkFailure(description: "\(bootstrap) is missing: this runs at the top of the project")
        }
        let folder = scratch + "/platform"
        try Child.run("/usr/bin/rm", ["-r", "-f", folder])
        try Child.run("/usr/bin/mkdir", [folder])
        let log = folder + "/log"
        let platform = try Child(
            programs + "/event-server",
            ["run", "--port", "0", "--programs", programs, "--bootstrap", bootstrap, "--data", folder + "/data"]
                + cloud.options, file: log)
        defer { platform.stop() }
        let urls = try CallRun.announced(by: platform, log)
        guard let server = urls["token-server"], let cache = urls["token-server-cache"],
            let provider = urls["fake-provider"]
        else { throw BenchmarkFailure(description: "the local platform does not tell where it is") }
        try BenchmarkRealm.register(keys: ["app"], provider: provider, at: server)
        let url = (hasCache ? cache : server) + "/api/token?realm=bench&key=app"
        switch amount {
        case .calls(let calls):
            load = try Load.run(
                url, connections: min(CallRun.connections, calls), calls: calls, keepsAlive: true,
                acceptsAnyLength: true, scratch: scratch)
            guard load.requests == calls else { throw BenchmarkFailure(description: "ab did not complete its calls") }
        case .seconds(let seconds):
            load = try Load.run(
                url, connections: CallRun.connections, seconds: seconds, keepsAlive: true, acceptsAnyLength: true,
                scratch: scratch)
        }
        let texts = try CallRun.settledAccounts(["token-server": server, "token-server-cache": cache], log)
        let needed = hasCache ? ["token-server", "token-server-cache"] : ["token-server"]
        accounts = needed.compactMap { texts[$0].flatMap { FunctionAccount($0) } }
        guard asked >= load.requests - load.failures else {
            throw BenchmarkFailure(description: "the account lacks calls that ab counted")
        }
    }

    private static func announced(by platform: Child, _ log: String) throws -> [Substring: String] {
        for _ in 0..<6_000 {
            var urls: [Substring: String] = [:]
            for line in TextFile.read(log).split(separator: "\n") {
                if line.hasPrefix("ready") { return urls }
                let words = line.split(separator: " ")
                if words.count == 2, words[1].hasPrefix("http://") { urls[words[0]] = String(words[1]) }
            }
            if !platform.isRunning { break }
            pause(.milliseconds(10))
        }
        let last = TextFile.read(log).split(separator: "\n").suffix(2).joined(separator: "; ")
        throw BenchmarkFailure(description: "the local platform does not start: \(last)")
    }

    /// The accounts once nothing is under way: an invocation is entered when its instance is free again, a moment after its answer.
    ///
    /// - Throws: where they are not what the log says line by line.
    private static func settledAccounts(_ urls: [String: String], _ log: String) throws -> [String: JSON.Value] {
        var ends = -1
        var disagreement: String?
        for _ in 0..<100 {
            pause(.milliseconds(100))
            let texts = try urls.mapValues { url in
                try JSON.Value(parsing: try send(.get, url + "/_event-server/invocations"))
            }
            var lines = PlatformLog()
            TextFile.eachLine(log) { line in
                if PlatformLog.tellsOfAnEnd(line) { lines.read(Substring(decoding: line, as: UTF8.self)) }
            }
            disagreement = lines.disagreement(with: texts)
            if disagreement == nil, lines.count == ends { return texts }
            ends = lines.count
        }
        throw BenchmarkFailure(
            description: "the account is not what the platform's log says: \(disagreement ?? "requests do not end")")
    }
}
