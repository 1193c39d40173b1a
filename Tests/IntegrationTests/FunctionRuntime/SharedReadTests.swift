import DatabaseDrivers
import Foundation
import JSON
import Locks
import SQL
import Synchronization
import Testing

/// Hits that come at the same moment share a reading; nobody may tell but by the number of statements.
@Suite(.serialized) struct SharedReadTests {
    /// The SHA-256 digest of "abc" (FIPS 180-4, example B.1).
    private static let administrator = [
        "AUTH": "keys", "ADMIN_KEY_SHA256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ]
    private static let target = "/api/token?realm=hand&key=app"

    private struct Client {
        let connection: RawHTTPConnection
        let key: String

        init(_ function: ServingFunction, as key: String) throws {
            connection = try RawHTTPConnection(port: function.port, timeout: 120)
            self.key = key
        }

        func send(_ method: String, _ path: String, _ json: String? = nil) throws -> RawHTTPConnection.Response {
            try connection.request(method, path, fields: ["Authorization: Bearer \(key)"], body: json)
        }
    }

    /// `token-server` with a token that was placed by hand.
    private func withFunction(
        _ driver: Driver, _ body: @escaping (ServingFunction, Client) throws -> Void
    ) throws {
        let database = try driver.migratedDatabase()
        let environment = Self.administrator.merging(["DATABASE_URL": database.url]) { $1 }
        try ServingFunction.run("token-server", environment) { function in
            let administrator = try Client(function, as: "abc")
            #expect(try administrator.send("POST", "/api/realm", #"{"id": "hand"}"#).status == 200)
            let secret = #"{"realm": "hand", "key": "app", "key_1": "a"}"#
            #expect(try administrator.send("POST", "/api/secret", secret).status == 200)
            let token = #"{"token": "t0", "expires_in": 7200000}"#
            #expect(try administrator.send("PUT", "/api/secret/hand/app/token", token).status == 200)
            try body(function, administrator)
        }
    }

    @Test(arguments: Driver.allCases)
    func `who asks after a write was answered gets what was written, however many ask meanwhile`(
        _ driver: Driver
    ) throws {
        try withFunction(driver) { function, administrator in
            let written = Atomic(0)
            let isOver = Atomic(false)
            let ended = DispatchSemaphore(value: 0)
            let reads = Atomic(0)
            let faults = Lock<[String]>([])
            let readers = Thread {
                concurrently(24) { _ in
                    do {
                        let client = try Client(function, as: "abc")
                        var asked = (after: -1, times: 0)
                        while !isOver.load(ordering: .acquiring) {
                            let least = written.load(ordering: .acquiring)
                            if asked.after != least { asked = (least, 0) }
                            asked.times += 1
                            // All of them together must not come more often than a key may: 20,000 times at once.
                            if asked.times > 4 {
                                usleep(200)
                                continue
                            }
                            let answer = try client.send("GET", Self.target)
                            let token = try JSON.Value(parsing: answer.body)["token"]?.string ?? ""
                            let number = Int(token.dropFirst()) ?? -1
                            // A busy machine's database may not answer in time, and then nothing is told.
                            if answer.status == 503 { continue }
                            if answer.status != 200 || number < least {
                                faults.withLock { $0.append("\(answer.status) \(token) after t\(least)") }
                            }
                            reads.add(1, ordering: .relaxed)
                        }
                    } catch {
                        faults.withLock { $0.append("\(error)") }
                    }
                }
                ended.signal()
            }
            readers.start()
            let end = ContinuousClock.now + .seconds(60)
            var number = 0
            // For as long as it takes the readers to be there.
            while number < 200 || reads.load(ordering: .relaxed) <= 200 && .now < end {
                number += 1
                let token = #"{"token": "t\#(number)", "expires_in": 7200000}"#
                var placed = 503
                try wait {
                    placed = try administrator.send("PUT", "/api/secret/hand/app/token", token).status
                    return placed != 503
                }
                #expect(placed == 200)
                written.store(number, ordering: .releasing)
            }
            isOver.store(true, ordering: .releasing)
            ended.wait()
            #expect(faults.withLock { $0 } == [])
            #expect(reads.load(ordering: .relaxed) > 200)
        }
    }

    @Test func `each key is answered by what it says, and a forged one by nothing of what its holder gets`() throws {
        try withFunction(.mariaDB) { function, administrator in
            func key(_ body: String) throws -> String {
                let made = try administrator.send("POST", "/api/key", body)
                return try #require(try JSON.Value(parsing: made.body)["key"]?.string)
            }
            let good = try key(#"{"role": "reader", "realms": ["hand"]}"#)
            let callers = [
                (name: "good", key: good), (name: "another", key: try key(#"{"role": "reader"}"#)),
                (name: "stranger", key: try key(#"{"role": "reader", "realms": ["other"]}"#)),
                (name: "forged", key: good.dropLast(4) + (good.hasSuffix("0000") ? "1111" : "0000")),
            ]
            let statuses = Lock<[String: Set<Int>]>([:])
            let tokens = Lock<Set<String>>([])
            concurrently(24) { index in
                let caller = callers[index % callers.count]
                guard let client = try? Client(function, as: caller.key) else { return }
                for _ in 0..<50 {
                    let answer = try? client.send("GET", Self.target)
                    statuses.withLock { _ = $0[caller.name, default: []].insert(answer?.status ?? 0) }
                    let isTold = answer.map { String(decoding: $0.body, as: UTF8.self).contains("t0") } ?? false
                    if isTold { tokens.withLock { _ = $0.insert(caller.name) } }
                }
            }
            // A busy machine's database may not answer in time.
            let seen = statuses.withLock { $0 }.mapValues { $0.subtracting([503]) }
            #expect(seen["good"] == [200] && seen["another"] == [200] && seen["stranger"] == [404])
            // Bad keys are held back after a while.
            #expect(seen["forged"]?.subtracting([401, 429]) == [])
            #expect(tokens.withLock { $0 } == ["good", "another"])
        }
    }

    @Test func `callers at once cost fewer statements than answers, one caller alone one each`() throws {
        let server = try MariaDBServer()
        defer { withExtendedLifetime(server) {} }
        let url = try server.freshDatabase()
        let watcher = try DatabaseURL(parsing: url).connection()
        let migrated = try Program.admin(["migrate"], ["DATABASE_URL": url])
        #expect(migrated.status == 0, "\(migrated)")
        func executed() throws -> Int64 {
            let rows = try watcher.rows("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'")
            return Int64(try #require(rows.first).text(1)) ?? 0
        }
        try ServingFunction.withServer(database: url) { function, _ in
            let path = "/api/token?realm=wx&key=app"
            #expect(try function.send("GET", path).status == 200)
            var before = try executed()
            for _ in 0..<20 { #expect(try function.send("GET", path).status == 200) }
            let alone = try executed() - before - 1
            #expect(alone == 20)
            before = try executed()
            let text = try Program.run(
                "/usr/bin/ab", ["-q", "-k", "-s", "300", "-c", "100", "-n", "20000", function.url + path]
            )
            .output
            #expect(text.contains("Complete requests:      20000"))
            #expect(!text.contains("Non-2xx"))
            // One reading serves the hundred callers at most.
            let statements = try executed() - before - 1
            #expect((200..<18_000).contains(statements), "\(statements) statements")
        }
    }
}
