internal import Clocks
internal import Crypto
internal import DatabaseDrivers
internal import Glibc
internal import Log
internal import SQL
internal import Storage
internal import Synchronization
internal import TestKit
internal import Tokens

/// What the broker costs: statements and upstream calls, counted on a real database, and what a loser waits.
enum RefreshCosts {
    private static let losers = 32
    private static let rounds = 20
    private static let callTime = Duration.milliseconds(150)

    static func measure(environment: (String) -> String?, scratch: String) throws -> [Report.Table] {
        let hasDatabase = environment("DATABASE_URL") != nil
        let url =
            try hasDatabase
            ? DatabaseURL(environment: environment) : DatabaseURL(parsing: "sqlite:\(scratch)/store")
        if !hasDatabase {
            let connection = url.connection()
            try MigrationRunner(connection).run(try Schema.migrations(for: connection.dialect))
        }
        let realm = "bench-\(getpid())"
        let keys = try BenchmarkKeys.keys(environment: environment)
        let store = DatabaseStore(url.connection(), sealer: Sealer(keys))
        do {
            _ = try store.write(realm, RealmChange(config: .set("{}")))
        } catch .broken(let text) {
            throw BenchmarkFailure(description: "DATABASE_URL: \(text): token-server-admin migrate makes it so")
        } catch {
            throw BenchmarkFailure(description: "DATABASE_URL: the database does not answer")
        }
        return [try statements(url, keys, realm), try waits(url, keys, realm)]
    }

    // MARK: Statements

    private static func statements(_ url: DatabaseURL, _ keys: MasterKeys, _ realm: String) throws -> Report.Table {
        let counting = NotingConnection(url.connection())
        let store = DatabaseStore(counting, sealer: Sealer(keys))
        let id = SecretID(realm: realm, key: "statements")
        _ = try store.write(id, ["key_1": .set(Redacted("a"))])
        let upstream = ScriptedUpstream { _ in .minted(Redacted("t"), life: .seconds(7_200)) }
        let broker = Broker(store: store, audit: store, upstream: upstream, clock: SystemClock())
        var table = Report.Table(
            title: "Statements and upstream calls", columns: ["what", "statements", "upstream calls", "which"], rows: []
        )
        func measure(_ name: String, _ wish: Wish = .token(minimumLife: nil)) {
            counting.forget()
            let calls = upstream.calls
            _ = broker.decide(id, wish: wish, requestID: "benchmark", deadline: nil)
            table.rows.append([
                name, String(counting.statements.count), String(upstream.calls - calls),
                counting.statements.joined(separator: ", "),
            ])
        }
        measure("first token (a refresh)")
        measure("hit")
        measure("flush held back by the gap or the same token")
        upstream.script = { _ in .refused(UpstreamFailure(.refused, .configuration, detail: "no")) }
        _ = try store.write(id, ["key_1": .set(Redacted("b"))], discardsToken: true)
        measure("refresh that the provider refuses")
        measure("negative hit")
        return table
    }

    // MARK: Losers

    /// Callers that meet a dead token while another refreshes it: how much later than the holder they have the new one.
    private static func waits(_ url: DatabaseURL, _ keys: MasterKeys, _ realm: String) throws -> Report.Table {
        let calls = Mutex(0)
        let lags = Mutex<[Duration]>([])
        for round in 0..<rounds {
            let id = SecretID(realm: realm, key: "wait-\(round)")
            _ = try DatabaseStore(url.connection(), sealer: Sealer(keys)).write(id, ["key_1": .set(Redacted("a"))])
            let ends = Mutex<[(isHolder: Bool, at: Moment)]>([])
            onThreads(losers) {
                let upstream = ScriptedUpstream { _ in
                    calls.withLock { $0 += 1 }
                    usleep(UInt32(callTime.wholeMilliseconds * 1_000))
                    return .minted(Redacted("t"), life: .seconds(7_200))
                }
                let connection = url.connection()
                let store = DatabaseStore(connection, sealer: Sealer(keys))
                let broker = Broker(store: store, upstream: upstream, clock: SystemClock())
                var patience: Patience?
                while true {
                    switch broker.decide(id, wish: .token(minimumLife: nil), deadline: nil, resuming: patience) {
                    case .answer:
                        ends.withLock { $0.append((isHolder: upstream.calls > 0, at: SystemClock().now())) }
                        return
                    case .wait(let delay, let state):
                        patience = state
                        usleep(UInt32(delay.wholeMilliseconds * 1_000))
                    case .refuse: return
                    }
                }
            }
            let all = ends.withLock { $0 }
            guard let holder = all.first(where: \.isHolder) else { continue }
            lags.withLock { lags in lags += all.filter { !$0.isHolder }.map { holder.at.elapsed(to: $0.at) } }
        }
        let sorted = lags.withLock { $0.sorted() }
        func part(_ share: Double) -> String {
            sorted.isEmpty ? "–" : "\(sorted[Int(Double(sorted.count - 1) * share)].wholeMilliseconds) ms"
        }
        return Report.Table(
            title:
                "\(losers) callers, each an instance, meet a dead token; a call takes \(callTime.wholeMilliseconds) ms",
            columns: ["refreshes", "upstream calls", "losers answered", "later than the holder: p50", "p99", "most"],
            rows: [
                [
                    String(rounds), String(calls.withLock { $0 }), String(sorted.count), part(0.5), part(0.99), part(1),
                ]
            ])
    }
}
