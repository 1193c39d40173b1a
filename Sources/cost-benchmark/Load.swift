internal import Glibc
internal import Locks
internal import Synchronization
internal import TestKit

/// What ab measured in one run.
struct Load {
    let requests: Int
    /// Those that broke off, and those whose status was no 2xx.
    let failures: Int
    let perSecond: Double
    /// The 99th percentile of the time from connecting to the last byte.
    let p99: Duration

    private static let number = Atomic(0)

    /// As many callers on all URLs together, evenly, who keep their connections: one `ab` for each.
    static func run(_ urls: [String], connections: Int, seconds: Int, scratch: String) throws -> Load {
        let share = connections / urls.count
        // Who comes first has one caller of the rest.
        let left = Lock(urls.enumerated().map { ($1, share + ($0 < connections % urls.count ? 1 : 0)) })
        let loads = Lock<[Result<Load, any Error>]>([])
        onThreads(urls.count) {
            guard let (url, callers) = left.withLock({ $0.popLast() }) else { return }
            let load = Result {
                try run(
                    url, connections: callers, seconds: seconds, keepsAlive: true, scratch: scratch)
            }
            loads.withLock { $0.append(load) }
        }
        let all = try loads.withLock { $0 }.map { try $0.get() }
        return Load(
            requests: all.reduce(0) { $0 + $1.requests }, failures: all.reduce(0) { $0 + $1.failures },
            perSecond: all.reduce(0) { $0 + $1.perSecond }, p99: all.map(\.p99).max() ?? .zero)
    }

    /// `ab -c CONNECTIONS -t SECONDS`; with `calls` instead, so many and no longer.
    ///
    /// - Parameter acceptsAnyLength: an answer of another length than the first is no failure.
    static func run(
        _ url: String, connections: Int, seconds: Int? = nil, calls: Int = 100_000_000, keepsAlive: Bool,
        acceptsAnyLength: Bool = false, scratch: String
    ) throws -> Load {
        let percentiles = "\(scratch)/ab-\(number.add(1, ordering: .relaxed).newValue).csv"
        defer { unsafe _ = unlink(percentiles) }
        // -t alone would stop at 50,000.
        let time = seconds.map { ["-t", String($0)] } ?? []
        let child = try Child(
            Tool.ab,
            ["-q", "-e", percentiles] + (keepsAlive ? ["-k"] : []) + (acceptsAnyLength ? ["-l"] : []) + [
                "-c", String(connections),
            ] + time
                + ["-n", String(calls), url])
        var values: [Substring: Double] = [:]
        var last = ""
        while let line = child.readLine() {
            if !line.isEmpty { last = line }
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let word = parts[1].split(separator: " ").first else { continue }
            values[parts[0]] = values[parts[0]] ?? Double(word)
        }
        guard child.wait() == 0, let requests = values["Complete requests"], requests > 0,
            let perSecond = values["Requests per second"]
        else { throw BenchmarkFailure(description: "ab gave up on \(url): \(last)") }
        var p99 = Duration.zero
        for line in TextFile.read(percentiles).split(separator: "\n") where line.hasPrefix("99,") {
            p99 = .milliseconds(1) * (Double(line.dropFirst(3)) ?? 0)
        }
        return Load(
            requests: Int(requests),
            failures: Int((values["Failed requests"] ?? 0) + (values["Non-2xx responses"] ?? 0)),
            perSecond: perSecond, p99: p99)
    }
}
