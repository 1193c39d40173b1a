import Foundation
import Glibc
import JSON
import Locks
import MariaDB
import SQL
import Storage
import Synchronization
import Testing

/// Minutes of mixed load on processes that are killed and frozen, judged by the provider's own log.
@Suite struct MixedLoadTests {
    /// The constants of the protocol scaled down together; a copy in a cache lives for four seconds.
    private static let policy = """
        {"timeout": 1, "grace": 0.5, "lease": 2, "overlap": 14, "gap": 7, "patience": 3, "flush_budget": 100000,
         "scheduled_refresh": false}
        """
    /// How long after a mark the protocol promises nothing: 150 s of a gap of 120.
    private static let markWindow: Int64 = 9_000
    /// From a late mint until its mark is in the database.
    private static let markDelay: Int64 = 3_000
    private static let secrets = ["flushed", "sometimes", "seldom", "never"]

    @Test func `whatever is killed, frozen and flushed, nobody uses a token that the provider takes for dead`() throws {
        let isLong = ProcessInfo.processInfo.environment["SOAK"] != nil
        let provider = try FakeProviderProcess()
        defer { _ = provider.session.stop() }
        #expect(
            try provider.connect().request(
                "POST", "/_fake-provider/rules", body: #"{"life_seconds": 30, "overlap_seconds": 14}"#
            ).status == 204)
        let server = try MariaDBServer()
        let database = try server.freshDatabase()
        let connection = try server.connection(to: database)
        try MigrationRunner(connection).run(Schema.migrations(for: connection.dialect))
        let environment = ["DATABASE_URL": database, "UPSTREAM_ALLOW": "127.0.0.1:\(provider.port)"]
        try FunctionFleet.run(servers: 3, caches: 2, environment) { fleet in
            try register(fleet.members[0].url, provider)
            let load = MixedLoad(fleet, provider: provider.port, secrets: Self.secrets)
            let marks = MarkWatch(try server.connection(to: database))
            load.run(.seconds(isLong ? 600 : 20), watching: marks)
            try judge(load, marks, provider, connection)
            // Nothing is stuck: once the doubt about lost calls is over, everybody has a token that lives.
            _ = try provider.connect().request("DELETE", "/_fake-provider/faults")
            for member in fleet.members {
                for secret in Self.secrets { try expectLiveToken(member, secret, provider) }
            }
        }
    }

    private func register(_ url: String, _ provider: FakeProviderProcess) throws {
        let realm = """
            {"id": "wx", "policy": \(Self.policy), "config": {"url": "http://127.0.0.1:\(provider.port)/cgi-bin/token",
             "arguments": [{"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "s"},
                {"name": "grant_type", "place": "url", "value": "client_credential"}],
             "token_path": "access_token", "expires_in_path": "expires_in"}}
            """
        let answer = try OneShotHTTP.send("POST", url + "/api/realm", json: realm)
        try #require(answer.status == 200, "\(answer.text)")
        for secret in Self.secrets {
            let body = #"{"realm": "wx", "key": "\#(secret)", "key_1": "\#(secret)"}"#
            #expect(try OneShotHTTP.send("POST", url + "/api/secret", json: body).status == 200)
        }
    }

    private func judge(
        _ load: MixedLoad, _ marks: MarkWatch, _ provider: FakeProviderProcess, _ connection: any SQL.Connection
    ) throws {
        let counters = try provider.counters()
        let rows = counters["by_app"]?.array ?? []
        func sum(_ endpoint: String, _ count: String) -> Int64 {
            rows.filter { $0["endpoint"] == .string(endpoint) }
                .reduce(0) { $0 + ($1[count]?.number?.integer ?? 0) }
        }
        let dead = try (counters["dead_uses"]?.array ?? []).map { use in
            DeadUse(
                secret: try #require(use["app"]?.string), usedAt: try #require(use["used_at"]?.number?.integer),
                diedAt: try #require(use["died_at"]?.number?.integer))
        }
        let marked = marks.all
        let afterMark = dead.filter { use in
            marked.contains {
                $0.secret == use.secret
                    && ($0.at - Self.markDelay...$0.at + Self.markWindow).contains(use.usedAt)
            }
        }
        let figures = load.figures
        print(
            """
            mixed load: \(figures), \(sum("/cgi-bin/token", "calls")) calls and \(sum("/cgi-bin/token", "minted")) mints, \
            \(sum("/cgi-bin/ticket/getticket", "calls")) uses, \(dead.count) of them of dead tokens, \
            \(afterMark.count) of those after one of \(marked.count) marks
            """)
        #expect(Int64(dead.count) == sum("/cgi-bin/ticket/getticket", "dead"))
        let unexplained = dead.filter { use in !afterMark.contains(use) && !load.isLate(use) }
        #expect(unexplained == [], "\(load.stories)")
        #expect(load.mistakes == [])
        #expect(figures.uses > 100)
        #expect(figures.flushes > 10)
        #expect(figures.kills > 0 && figures.freezes > 0)
        #expect(sum("/cgi-bin/token", "minted") > Self.secrets.count, "tokens were replaced")
        let ledger = try #require(connection.rows("SELECT SUM(calls) FROM token").first)
        #expect(try ledger.integer(0) >= sum("/cgi-bin/token", "calls"), "the ledger knows of every call")
    }

    private func expectLiveToken(
        _ member: FunctionFleet.Member, _ secret: String, _ provider: FakeProviderProcess
    ) throws {
        let end = ContinuousClock.now + .seconds(30)
        var seen = ""
        while ContinuousClock.now < end {
            if let answer = try? OneShotHTTP.send("GET", "\(member.url)/api/token?realm=wx&key=\(secret)") {
                seen = "\(answer.status) \(answer.text)"
                if answer.status == 200, let token = try answer.json()["token"]?.string {
                    let ticket = try MixedLoad.use(token, provider.connect())
                    if ticket { return }
                }
            }
            usleep(100_000)
        }
        Issue.record("\(member.program) has no live token of \(secret): \(seen)")
    }
}

/// The provider saw a token that works no more; instants in epoch milliseconds.
struct DeadUse: Equatable, Sendable {
    let secret: String
    let usedAt: Int64
    let diedAt: Int64
}

/// Sees marks in the database: a mint that came to light late, after which the protocol promises nothing for a while.
final class MarkWatch: @unchecked Sendable {
    /// Used by one thread at a time.
    private let connection: any SQL.Connection
    private let seen = Lock<[(secret: String, at: Int64)]>([])
    private var counts: [String: Int64] = [:]

    init(_ connection: any SQL.Connection) {
        self.connection = connection
    }

    func look() throws {
        for row in try connection.rows("SELECT `key`, marks FROM token") {
            let (secret, count) = (try row.text(0), try row.integer(1))
            if count > counts[secret, default: 0] {
                seen.withLock { $0.append((secret: secret, at: MixedLoad.now)) }
            }
            counts[secret] = count
        }
    }

    var all: [(secret: String, at: Int64)] { seen.withLock { $0 } }
}
