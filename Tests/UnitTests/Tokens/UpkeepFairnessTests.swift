import Clocks
import Log
import TestKit
import Testing
import Tokens

/// A provider that hangs, and what the schedule still does for the others.
@Suite final class UpkeepFairnessTests: BrokerFixture {
    private var callsOfHung: [String: Int] = [:]

    /// Some secrets of each realm, all due; the provider of realms named `hung…` takes five seconds and gives no answer.
    private func allDue(_ realms: [String], each count: Int) throws {
        for realm in realms {
            _ = try store.write(realm, RealmChange(config: .set("{}")))
            for number in 0..<count {
                let id = SecretID(realm: realm, key: "k\(number)")
                _ = try store.write(id, ["key_1": .set(Redacted("a"))])
                _ = broker.decide(id, wish: .token(minimumLife: nil), deadline: nil)
                clock.advance(by: .seconds(1))
            }
        }
        clock.advance(by: .seconds(6_935))
        upstream.script = { material in
            guard material.id.realm.hasPrefix("hung") else { return .minted(Redacted("next"), life: .seconds(7_200)) }
            self.callsOfHung[material.id.realm, default: 0] += 1
            self.clock.advance(by: self.upstream.timeout)
            return .ambiguous(UpstreamFailure(.unreachable, .transient, detail: "timeout"))
        }
    }

    private func tick(within limit: Duration = .seconds(10)) throws -> Upkeep.Report {
        try Upkeep(store: store, broker: broker, clock: clock).run(deadline: clock.now() + limit)
    }

    @Test func `a provider that hangs is asked once a tick, and the others have the rest of it`() throws {
        try allDue(["hung", "wx"], each: 20)
        let first = try tick()
        #expect(first.refreshed == 20)
        #expect(first.failed == 1)
        #expect(!first.isCutShort)
        #expect(callsOfHung == ["hung": 1])
        clock.advance(by: .seconds(60))
        _ = try tick()
        #expect(callsOfHung == ["hung": 2])
    }

    @Test func `large realms that hang hold the others up for a tick each, not for every token`() throws {
        try allDue(["hung-1", "hung-2", "wx"], each: 60)
        var refreshed = 0
        for _ in 0..<4 {
            refreshed += try tick().refreshed
            clock.advance(by: .seconds(50))
        }
        #expect(refreshed == 60)
        #expect(callsOfHung.values.reduce(0, +) <= 8)
    }

    @Test func `what failed last time comes after what did not, however many realms hang`() throws {
        try allDue(["hung-1", "hung-2", "hung-3", "hung-4", "wx"], each: 2)
        // The jitter mixes the realms; two calls fill a tick.
        var reports: [Upkeep.Report] = []
        for _ in 0..<3 {
            reports.append(try tick())
            clock.advance(by: .seconds(50))
        }
        #expect(reports.first?.isCutShort == true)
        #expect(callsOfHung.count == 4)
        #expect(reports.reduce(0) { $0 + $1.refreshed } == 2)
    }

    @Test func `a timeout longer than the schedule's time keeps nobody out`() throws {
        try allDue(["hung", "wx"], each: 2)
        _ = try store.write("hung", RealmChange(policy: .set(#"{"timeout":15}"#)))
        let first = try tick()
        #expect(callsOfHung == ["hung": 1])
        clock.advance(by: .seconds(60))
        let second = try tick()
        #expect(first.refreshed + second.refreshed == 2)
        #expect(callsOfHung == ["hung": 2])
        // What no longer is to be refreshed needs no time for a call.
        _ = try store.write("wx", RealmChange(policy: .set(#"{"timeout":15,"scheduled_refresh":false}"#)))
        clock.advance(by: .seconds(6_990))
        #expect(try tick(within: .seconds(5)).passed >= 2)
    }
}
