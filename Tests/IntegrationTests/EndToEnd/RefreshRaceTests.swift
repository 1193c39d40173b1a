import Foundation
import Glibc
import HTTPServer
import JSON
import Locks
import SQL
import Testing

/// One refresh across real processes and a real MariaDB, judged by the provider's log.
@Suite(.serialized) struct RefreshRaceTests {
    private struct World: Sendable {
        let platform: LocalPlatform

        /// - Parameter provider: its token endpoint; by default that of the platform's own provider.
        init(_ platform: LocalPlatform, policy: String, provider: String? = nil) throws {
            self.platform = platform
            let url = provider ?? platform.provider + "/cgi-bin/token"
            let realm = """
                {"id": "wx", "policy": \(policy), "config": {"url": "\(url)", "arguments": [
                    {"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "$key_2"},
                    {"name": "grant_type", "place": "url", "value": "client_credential"}],
                 "token_path": "access_token", "expires_in_path": "expires_in"}}
                """
            let answer = try OneShotHTTP.send("POST", platform.url + "/api/realm", json: realm)
            try #require(answer.status == 200, "\(answer.text)")
        }

        func register(_ key: String) throws {
            let body = #"{"realm": "wx", "key": "\#(key)", "key_1": "app-\#(key)", "key_2": "s"}"#
            let answer = try OneShotHTTP.send("POST", platform.url + "/api/secret", json: body)
            try #require(answer.status == 200, "\(answer.text)")
        }

        func ask(_ key: String, _ more: String = "") throws -> Answer {
            try OneShotHTTP.send("GET", platform.url + "/api/token?realm=wx&key=\(key)\(more)")
        }

        /// Calls of the provider's token endpoint for one application.
        func calls(_ key: String) throws -> Int64 {
            let counters = try OneShotHTTP.send("GET", platform.provider + "/_fake-provider/counters").json()
            let rows = counters["by_app"]?.array ?? []
            let row = rows.first { $0["endpoint"] == "/cgi-bin/token" && $0["app"] == .string("app-\(key)") }
            return try #require(row?["calls"]?.number?.integer, "\(counters.text)")
        }

        func control(_ path: String, _ json: String) throws {
            let answer = try OneShotHTTP.send("POST", platform.provider + "/_fake-provider/" + path, json: json)
            try #require(answer.status == 204, "\(answer.text)")
        }

        /// When a token dies by the provider's rule, in epoch milliseconds.
        func death(of token: String) throws -> Int64 {
            let answer = try OneShotHTTP.send("GET", platform.provider + "/_fake-provider/token?token=\(token)").json()
            return try #require(answer["dies_at"]?.number?.integer, "\(answer.text)")
        }

        /// The function's processes.
        func instances() -> [pid_t] {
            platform.process.members.filter { pid in
                let name = try? String(contentsOf: URL(filePath: "/proc/\(pid)/comm"), encoding: .utf8)
                return name == "token-server\n"
            }
        }
    }

    private static func run(
        _ concurrency: Int, policy: String, gated: GatedProvider? = nil, options: [String] = [],
        _ body: (World, any SQL.Connection) throws -> Void
    ) throws {
        let server = try MariaDBServer.shared()
        let url = try server.freshDatabase()
        try LocalPlatform.run(
            environment: ["DATABASE_URL": url].merging(gated?.environment ?? [:]) { $1 },
            options: ["--concurrency", "\(concurrency)"] + options
        ) { platform in
            let world = try World(platform, policy: policy, provider: gated?.url)
            try body(world, try server.connection(to: url))
        }
    }

    @Test func `three hundred callers on fifty instances and one expired secret are one upstream call`() throws {
        let provider = try GatedProvider()
        defer { provider.stop() }
        // Time for the one call and for those who wait for it, on a busy machine too.
        let policy = #"{"timeout": 15, "patience": 60}"#
        try Self.run(50, policy: policy, gated: provider, options: ["--timeout-ms", "60000"]) { world, database in
            try world.register("app")
            #expect(try world.ask("app").json()["source"] == "upstream")
            try database.execute("UPDATE token SET expires_at = 1000, minted_at = 1")
            // Every instance starts and finds somebody else at it, as far as that takes no longer than the call may.
            provider.close()
            let answers = Lock<[Answer]>([])
            concurrently(301) { number in
                if number == 300 {
                    wait(within: .seconds(10)) { world.instances().count == 50 }
                    provider.open()
                    return
                }
                guard let answer = try? world.ask("app") else { return }
                answers.withLock { $0.append(answer) }
            }
            let all = answers.withLock { $0 }
            #expect(all.count == 300)
            #expect(Set(all.map(\.status)) == [200])
            let tokens = try all.compactMap { try $0.json()["token"]?.string }
            #expect(tokens.count == 300)
            #expect(Set(tokens).count == 1)
            #expect((10...50).contains(world.instances().count), "\(world.instances().count)")
            #expect(provider.calls == 2)
        }
    }

    // MARK: Kills and freezes

    /// Every constant of the protocol scaled down together: a lease lasts a second, a killed token three more.
    private static let scaled = """
        {"timeout": 0.4, "grace": 0.2, "lease": 1, "overlap": 3, "gap": 1.2, "patience": 0.5, "flush_budget": 100000,
         "scheduled_refresh": false}
        """
    private static let secrets = 10
    /// How long a stopped instance stands still: longer than a lease.
    private static let freeze = Duration.milliseconds(1_600)
    /// One lease, the time in which a caller's own instance stood still, and what a loaded machine may add: far from the minute
    /// after which the platform ends a request.
    private static let longestWait = Duration.seconds(1) + freeze + .seconds(30)

    /// What a round showed.
    private struct Tally {
        /// Holders that had their lease at the moment of the signal, each at a moment of its own refresh.
        var holders = 0
        /// Calls that nobody stored.
        var lost: Int64 = 0
    }

    @Test(arguments: [SIGKILL, SIGSTOP])
    func `a holder lost at any moment costs at most a lease and a call, and nobody gets a dead token`(
        signal: Int32
    ) throws {
        // Both signals together: 20 holders lost, 200 in the long form.
        let wanted = ProcessInfo.processInfo.environment["SOAK"] != nil ? 100 : 10
        try Self.run(32, policy: Self.scaled, options: ["--timeout-ms", "60000"]) { world, database in
            try world.control("rules", #"{"life_seconds": 25, "overlap_seconds": 3}"#)
            var tally = Tally()
            var round = 0
            // A signal may fall before or after every lease: as many rounds again, and three more.
            while tally.holders < wanted, round < wanted / 5 * 2 + 3 {
                let keys = (0..<Self.secrets).map { "k\(round)-\($0)" }
                var early: [String: Int64] = [:]
                for key in keys {
                    try world.register(key)
                    while try world.ask(key).status != 200, early[key, default: 0] < 20 { early[key, default: 0] += 1 }
                }
                try world.control(
                    "faults",
                    #"{"endpoint": "/cgi-bin/token", "fault": "delay", "delay_ms": 250, "times": \#(Self.secrets)}"#)
                let (holders, unanswered) = try lose(keys, by: signal, in: world, database)
                tally.holders += holders
                for key in keys {
                    let inVain = early[key, default: 0] + unanswered[key, default: 0]
                    tally.lost += try judge(key, in: world, database, unanswered: inVain)
                }
                round += 1
            }
            #expect(tally.holders >= wanted, "\(tally) in \(round) rounds: too few holders were hit")
            // A stopped holder may wake in time to store its token; a killed one never does.
            if signal == SIGKILL { #expect(tally.lost > 0, "\(tally): no call was ever lost") }
        }
    }

    /// Starts a refresh of each secret, loses every instance within it, and asks on until all doubt must be over.
    ///
    /// - Returns: how many of the lost instances had a lease, and how often a busy machine let a call's time run out.
    private func lose(
        _ keys: [String], by signal: Int32, in world: World, _ database: any SQL.Connection
    ) throws -> (holders: Int, unanswered: [String: Int64]) {
        let errors = Lock<[String]>([])
        let unanswered = Lock<[String: Int64]>([:])
        let areOver = Lock(false)
        let flushes = Thread {
            concurrently(keys.count) { index in
                usleep(UInt32.random(in: 0...100_000))
                // Its own instance is lost: whatever it is told is right.
                _ = try? world.ask(keys[index], "&flush=true")
            }
            areOver.withLock { $0 = true }
        }
        flushes.start()
        // At any moment since the first has its lease: the others are before, in or after theirs.
        try wait {
            if areOver.withLock({ $0 }) { return true }
            let held = try database.rows("SELECT `key` FROM token WHERE lease_until IS NOT NULL")
            return try held.contains { keys.contains(try $0.text(0)) }
        }
        usleep(UInt32.random(in: 0...250_000))
        let instances = world.instances()
        for instance in instances { kill(instance, signal) }
        // Nobody is left who could give a lease back: those that stand are of the lost.
        let held = try database.rows("SELECT `key` FROM token WHERE lease_until IS NOT NULL")
        let holders = try held.filter { keys.contains(try $0.text(0)) }.count
        let waking = Thread {
            usleep(UInt32(Self.freeze / .microseconds(1)))
            for instance in instances { kill(instance, SIGCONT) }
        }
        if signal == SIGSTOP { waking.start() }

        concurrently(keys.count * 2) { index in
            let key = keys[index % keys.count]
            let end = ContinuousClock.now + .seconds(6)
            while ContinuousClock.now < end {
                let begun = ContinuousClock.now
                do {
                    try ask(key, in: world, errors, unanswered)
                } catch {
                    errors.withLock { $0.append("\(error)") }
                }
                let waited = ContinuousClock.now - begun
                if waited > Self.longestWait { errors.withLock { $0.append("\(key): waited \(waited)") } }
                usleep(40_000)
            }
        }
        #expect(errors.withLock { $0 } == [])
        return (holders, unanswered.withLock { $0 })
    }

    private func ask(
        _ key: String, in world: World, _ errors: Lock<[String]>, _ unanswered: Lock<[String: Int64]>
    ) throws {
        let before = Int64(Date().timeIntervalSince1970 * 1_000)
        let answer = try world.ask(key)
        // An instance that was just killed takes the request that it was given with it.
        if answer.status == 502 { return }
        // Neither has one for which the provider or the database was too slow.
        let tooSlow = ["/problems/provider-unreachable", "/problems/database-unavailable"].map { JSON.Value.string($0) }
        if answer.status == 503, let type = try answer.json()["type"], tooSlow.contains(type) {
            unanswered.withLock { $0[key, default: 0] += 1 }
            return
        }
        guard answer.status == 200, let token = try answer.json()["token"]?.string else {
            errors.withLock { $0.append("\(key): \(answer.status) \(answer.text)") }
            return
        }
        let death = try world.death(of: token)
        if death <= before { errors.withLock { $0.append("\(key): served \(before - death) ms after its death") } }
    }

    /// - Returns: how many calls nobody stored.
    private func judge(
        _ key: String, in world: World, _ database: any SQL.Connection, unanswered: Int64
    ) throws -> Int64 {
        let rows = try database.rows(
            "SELECT generation, doubts, calls, marks FROM token WHERE realm = 'wx' AND `key` = \(key)")
        let row = try #require(rows.first)
        let generation = try row.integer(0)
        // The first token, the flush if it was stored, and the refresh that ends the doubt it left; and one for each
        // answer that did not come in the call's short time.
        #expect(try world.calls(key) <= generation + 1 + unanswered, "rule 1: \(key)")
        #expect(try row.integer(2) >= world.calls(key), "the ledger knows of every call")
        // An instance that was lost before it took the lease has left nothing to mend.
        #expect(try wait { try world.ask(key).status == 200 })
        return try row.integer(2) - generation
    }
}
