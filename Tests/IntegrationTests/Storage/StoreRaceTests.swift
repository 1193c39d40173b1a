import Clocks
import Foundation
import HTTPServer
import Locks
import Log
import SQL
import Storage
import Synchronization
import Testing
import Tokens

/// Two connections at once, on both databases.
@Suite struct StoreRaceTests {
    private static let id = SecretID(realm: "wx", key: "app")

    @Test(arguments: Driver.allCases)
    func `of two that take the same lease exactly one gets it`(_ driver: Driver) throws {
        let database = try driver.migratedDatabase()
        let store = DatabaseStore(try database.connection())
        _ = try store.write("wx", RealmChange())
        _ = try store.write(Self.id, [:])
        guard case .found(let snapshot) = try store.read(Self.id, clock: SystemClock()) else {
            Issue.record("not found")
            return
        }
        let rounds = 200
        let wins = Lock([Int](repeating: 0, count: rounds))
        try race(rounds: rounds, on: database) { store, round in
            // Taken for no time at all, so that the next round may take it again.
            let request = LeaseRequest(
                fence: snapshot.row.fence + Int64(round), generation: 0, marks: 0, doubts: 0, diesAt: nil, fails: 0,
                holder: "h", reason: .dead, lease: .zero, day: 0, isUse: true)
            if try store.take(Self.id, request) { wins.withLock { $0[round] += 1 } }
        }
        #expect(wins.withLock { $0 } == [Int](repeating: 1, count: rounds))
    }

    @Test(arguments: Driver.allCases)
    func `a realm is never deleted under a secret that is being made`(_ driver: Driver) throws {
        let database = try driver.migratedDatabase()
        let store = DatabaseStore(try database.connection())
        let rounds = 100
        for round in 0..<rounds { _ = try store.write("r\(round)", RealmChange()) }
        let turn = Atomic<Int>(0)
        let outcomes = Lock([String](repeating: "", count: rounds))
        try race(rounds: rounds, on: database) { store, round in
            if turn.add(1, ordering: .relaxed).newValue.isMultiple(of: 2) {
                if case .deleted = try store.deleteRealm("r\(round)") { outcomes.withLock { $0[round] += "deleted " } }
            } else {
                let made = try store.write(SecretID(realm: "r\(round)", key: "k"), ["key_1": .set(Redacted("x"))])
                if made != nil { outcomes.withLock { $0[round] += "made " } }
            }
        }
        for (round, outcome) in outcomes.withLock({ $0 }).enumerated() {
            #expect(outcome == "deleted " || outcome == "made ", "round \(round)")
            let isThere = try store.realm("r\(round)") != nil
            #expect(isThere == (try store.secret(SecretID(realm: "r\(round)", key: "k")) != nil), "round \(round)")
        }
    }

    @Test(arguments: Driver.allCases)
    func `of two writes at once none is lost`(_ driver: Driver) throws {
        let database = try driver.migratedDatabase()
        let store = DatabaseStore(try database.connection())
        let rounds = 100
        for round in 0..<rounds {
            _ = try store.write("r\(round)", RealmChange())
            // Every other secret exists already: the two change it, or both make it.
            if round.isMultiple(of: 2) { _ = try store.write(SecretID(realm: "r\(round)", key: "k"), [:]) }
        }
        let turn = Atomic<Int>(0)
        try race(rounds: rounds, on: database) { store, round in
            let isFirst = turn.add(1, ordering: .relaxed).newValue.isMultiple(of: 2)
            _ = try store.write(
                SecretID(realm: "r\(round)", key: "k"), [isFirst ? "a" : "b": .set(Redacted("x"))])
            _ = try store.write(
                "r\(round)", isFirst ? RealmChange(comment: .set("c")) : RealmChange(config: .set("{}")))
        }
        for round in 0..<rounds {
            let realm = try #require(try store.realm("r\(round)"))
            #expect(realm.comment == "c" && realm.config == "{}")
            #expect(try store.secret(SecretID(realm: realm.id, key: "k"))?.credentialNames == ["a", "b"])
        }
    }

    /// Runs `body` on two connections, both beginning each round together.
    private func race(
        rounds: Int, on database: TestDatabase, _ body: @escaping @Sendable (DatabaseStore, _ round: Int) throws -> Void
    ) throws {
        let arrived = Atomic<Int>(0)
        let errors = Lock<[String]>([])
        concurrently(2) { _ in
            var store: DatabaseStore?
            for round in 0..<rounds {
                arrived.add(1, ordering: .acquiringAndReleasing)
                while arrived.load(ordering: .acquiring) < 2 * (round + 1) { sched_yield() }
                do {
                    let opened = try store ?? DatabaseStore(database.connection())
                    store = opened
                    try body(opened, round)
                } catch {
                    errors.withLock { $0.append("round \(round): \(error)") }
                }
            }
        }
        #expect(errors.withLock { $0 } == [])
    }
}
