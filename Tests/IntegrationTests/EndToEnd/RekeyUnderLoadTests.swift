import Clocks
import Crypto
import Foundation
import Glibc
import HTTPServer
import JSON
import Locks
import Log
import MariaDB
import SQL
import Storage
import Synchronization
import TestKit
import Testing
import Tokens

/// `token-server-admin rekey` killed again and again while a server serves and an administrator writes, on a real MariaDB.
@Suite(.serialized) struct RekeyUnderLoadTests {
    private static let secrets = 150

    private static func id(_ number: Int) -> SecretID { SecretID(realm: "wx", key: "app-\(number)") }

    /// Everything under `old`; every other secret has a token already, the rest fetch theirs under load.
    private static func fill(_ connection: any SQL.Connection, provider: UInt16) throws {
        let store = DatabaseStore(connection, keys: MasterKeys.text("old"))
        let config = """
            {"url": "http://127.0.0.1:\(provider)/cgi-bin/token", "arguments": [
                {"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "s"},
                {"name": "grant_type", "place": "url", "value": "client_credential"}],
             "token_path": "access_token", "expires_in_path": "expires_in"}
            """
        let policy = #"{"flush_budget": 100000, "scheduled_refresh": false}"#
        _ = try store.write("wx", RealmChange(config: .set(config), policy: .set(policy)))
        for number in 0..<secrets {
            _ = try store.write(id(number), ["key_1": .set(Redacted("app-\(number)")), "note": .set(Redacted("0"))])
            guard number.isMultiple(of: 2) else { continue }
            let upstream = ScriptedUpstream { _ in
                .minted(Redacted("old-\(number)"), life: .seconds(7_200), refreshToken: Redacted("refresh"))
            }
            _ = Broker(store: store, upstream: upstream, clock: SystemClock())
                .decide(id(number), wish: .flush, deadline: nil)
        }
    }

    /// Asks, flushes and writes until told to stop; remembers what failed, and what an administrator was told is stored.
    private final class Users: Sendable {
        private let url: String
        private let isOver = Atomic<Bool>(false)
        private let running = Atomic<Int>(0)
        let answers = Atomic<Int>(0)
        let failures = Lock<[String]>([])
        let notes = Lock<[Int: String]>([:])

        init(url: String) { self.url = url }

        func start() {
            for user in 0..<6 {
                running.add(1, ordering: .relaxed)
                Thread.detachNewThread { [self] in
                    var turn = 0
                    while !isOver.load(ordering: .relaxed) {
                        turn += 1
                        if user == 0 { write(turn) } else { ask(flushing: turn.isMultiple(of: 4)) }
                    }
                    running.subtract(1, ordering: .releasing)
                }
            }
        }

        func stop() {
            isOver.store(true, ordering: .relaxed)
            while running.load(ordering: .acquiring) > 0 { usleep(5_000) }
        }

        private func ask(flushing: Bool) {
            let key = "app-\(Int.random(in: 0..<RekeyUnderLoadTests.secrets))"
            let query = "/api/token?realm=wx&key=\(key)\(flushing ? "&flush=true" : "")"
            check("GET", query) { try OneShotHTTP.send("GET", url + query) }
        }

        private func write(_ turn: Int) {
            let number = Int.random(in: 0..<RekeyUnderLoadTests.secrets)
            let body = #"{"realm": "wx", "key": "app-\#(number)", "credentials": {"note": "\#(turn)"}}"#
            if check("POST", body, { try OneShotHTTP.send("POST", url + "/api/secret", json: body) }) {
                notes.withLock { $0[number] = String(turn) }
            }
            usleep(2_000)
        }

        @discardableResult
        private func check(_ method: String, _ what: String, _ send: () throws -> Answer) -> Bool {
            do {
                let answer = try send()
                answers.add(1, ordering: .relaxed)
                if answer.status == 200 { return true }
                failures.withLock { $0.append("\(method) \(what): \(answer.status) \(answer.text)") }
            } catch {
                failures.withLock { $0.append("\(method) \(what): \(error)") }
            }
            return false
        }
    }

    /// Values that the new key has not sealed.
    private static func left(_ connection: any SQL.Connection) throws -> Int64 {
        let rows = try connection.rows(
            """
            SELECT (SELECT COUNT(*) FROM secret WHERE sealed_with <> 'new')
                + (SELECT COUNT(*) FROM token WHERE sealed_with <> 'new')
                + (SELECT COUNT(*) FROM token WHERE refresh_token_sealed_with <> 'new')
            """)
        return try #require(rows.first).integer(0)
    }

    @Test func `a rekey that is killed at any row fails no request, and every row opens under the new key in the end`()
        throws
    {
        let kills = ProcessInfo.processInfo.environment["SOAK"] == nil ? 20 : 50
        let server = try MariaDBServer.shared()
        let url = try server.freshDatabase()
        let connection = try server.connection(to: url)
        defer { connection.close() }
        try MigrationRunner(connection).run(Schema.migrations(for: connection.dialect))
        let provider = try FakeProviderProcess()
        defer { _ = provider.session.stop() }
        try Self.fill(connection, provider: provider.port)
        let environment = [
            "DATABASE_URL": url, "UPSTREAM_ALLOW": "127.0.0.1:\(provider.port)",
            "MASTER_KEYS": MasterKeys.text("new", "old"),
        ]

        try ServingFunction.run("token-server", environment) { function in
            let users = Users(url: function.url)
            users.start()
            defer { users.stop() }
            var back = environment
            back["MASTER_KEYS"] = MasterKeys.text("old", "new")
            var killed = 0
            for _ in 0..<(10 * kills) where killed < kills {
                // On a busy machine a run gets further before it is killed: then everything goes back under the old key.
                if try Self.left(connection) < 3 * Int64(kills - killed) {
                    #expect(try Program.admin(["rekey"], back).status <= 1)
                }
                killed +=
                    try Self.kill(
                        rekey: environment, over: connection, share: Int64(kills - killed)) ? 1 : 0
            }
            #expect(killed == kills, "so many runs were killed before they had ended by themselves")
            let last = try Program.admin(["rekey"], environment)
            #expect(last.status == 0, "\(last.output) \(last.errors)")
            let wereBusy = wait { users.answers.load(ordering: .relaxed) > 200 && users.notes.withLock { !$0.isEmpty } }
            users.stop()
            #expect(users.failures.withLock { $0 } == [])
            #expect(wereBusy)

            let alone = DatabaseStore(connection, keys: MasterKeys.text("new"))
            let notes = users.notes.withLock { $0 }
            for number in 0..<Self.secrets {
                let material = try #require(try alone.material(Self.id(number)))
                #expect(material.credentials["key_1"]?.reveal() == "app-\(number)")
                #expect(material.credentials["note"]?.reveal() == notes[number] ?? "0", "app-\(number)")
                if number.isMultiple(of: 2) { #expect(material.refreshToken?.reveal() == "refresh") }
            }
            #expect(try alone.probeKeys() == KeyHealth(known: Self.secrets))
        }
        // The old key is gone for good.
        var next = environment
        next["MASTER_KEYS"] = MasterKeys.text("new")
        try ServingFunction.run("token-server", next) { function in
            for number in 0..<Self.secrets {
                let answer = try function.send("GET", "/api/token?realm=wx&key=app-\(number)")
                #expect(answer.status == 200)
            }
            #expect(!function.process.output.contains("quarantine"))
        }
    }

    /// Starts a run and kills it after a random number of values; false where it ended before.
    ///
    /// - Parameter share: how many runs there are still to be killed, for which something has to be left.
    private static func kill(
        rekey environment: [String: String], over connection: any SQL.Connection, share: Int64
    ) throws -> Bool {
        let before = try left(connection)
        let count = Int64.random(in: 0...max(1, before / (share + 1)))
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let process = try ProcessSession(
            LocalPlatform.products.appending(path: "token-server-admin").path(), ["rekey", "--batch", "7"],
            environment: environment, output: folder + "/output")
        while process.isRunning, try before - left(connection) < count { usleep(200) }
        Glibc.kill(process.pid, SIGKILL)
        return process.stop().status == 128 + SIGKILL
    }
}
