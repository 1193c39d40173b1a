import Clocks
import Log
import SQL
import Storage
import TestKit
import Testing
import Tokens

/// One row that cannot be read must not stop the schedule's work for all the others.
@Suite struct UnreadableRowTests {
    @Test(arguments: Driver.allCases)
    func `a policy that this version cannot read is passed over`(_ driver: Driver) throws {
        let database = try driver.migratedDatabase()
        let connection = try database.connection()
        let store = DatabaseStore(connection)
        let upstream = ScriptedUpstream { _ in .minted(Redacted("t"), life: .seconds(7_200)) }
        let broker = Broker(store: store, upstream: upstream, clock: SystemClock())
        for realm in ["broken", "well"] {
            let id = SecretID(realm: realm, key: "app")
            _ = try store.write(realm, RealmChange(config: .set("{}")))
            _ = try store.write(id, ["key_1": .set(Redacted("a"))])
            guard case .answer = broker.decide(id, wish: .token(minimumLife: nil), deadline: nil) else {
                Issue.record("no token of \(realm)")
                return
            }
        }
        try connection.execute("UPDATE token SET due_at = 1, expires_at = 1")
        try connection.execute("UPDATE realm SET policy = '{\"of\": \"a newer version\"}' WHERE id = 'broken'")
        let report = try Upkeep(store: store, broker: broker, clock: SystemClock()).run(deadline: nil)
        #expect(report.refreshed == 1)
        #expect(report.failed == 1)
        #expect(try store.due(limit: 10).tokens.isEmpty)
    }

    @Test(arguments: Driver.allCases)
    func `a notice whose failure cannot be read is told without it`(_ driver: Driver) throws {
        let database = try driver.migratedDatabase()
        let connection = try database.connection()
        let store = DatabaseStore(connection)
        try connection.execute(
            """
            INSERT INTO notice (realm, `key`, event, generation, failure, created_at, next_at)
            VALUES ('wx', 'app', 'failure', 1, 'no JSON', 1, 1), ('wx', 'app', 'token', 2, NULL, 1, 1)
            """)
        let pending = try store.pendingNotices(limit: 10).notices
        #expect(pending.map(\.notice) == [Notice(.failure, generation: 1), Notice(.token, generation: 2)])
    }
}
