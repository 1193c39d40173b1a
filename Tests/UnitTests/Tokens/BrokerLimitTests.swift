import Clocks
import Log
import TestKit
import Testing
import Tokens

/// What a broker may ask of the provider, of its own process and of the caller's time, and what it notes on the way.
@Suite final class BrokerLimitTests: BrokerFixture {
    // MARK: Failures

    @Test func `a transient refusal is tried once more within the lease, and both calls are counted`() throws {
        var calls = 0
        upstream.script = { _ in
            calls += 1
            return calls == 1
                ? .refused(UpstreamFailure(.refused, .transient, detail: "busy"))
                : .minted(Redacted("t"), life: .seconds(7_200))
        }
        #expect(answer(decide())?.token.reveal() == "t")
        #expect(try row().ledger?.calls == 2)
        #expect(try row().fails == 0)
    }

    @Test func `two transient refusals are a pause, and no third call`() throws {
        upstream.script = { _ in .refused(UpstreamFailure(.refused, .transient, detail: "busy")) }
        guard case .upstream = refusal(decide()) else {
            Issue.record("no failure")
            return
        }
        #expect(upstream.calls == 2)
        #expect(try row().retryClass == .transient)
        #expect(try row().fails == 1)
    }

    @Test func `a transient refusal that took long is not tried again: the look says no`() throws {
        upstream.whileUnderWay = { self.clock.advance(by: .seconds(4)) }
        upstream.script = { _ in .refused(UpstreamFailure(.refused, .transient, detail: "busy")) }
        _ = decide()
        #expect(upstream.calls == 1)
        #expect(try row().retryClass == .transient)
        #expect(try row().ledger?.calls == 1)
    }

    @Test(arguments: [FailureClass.configuration, .address, .quota, .reauthorise])
    func `what no second call can mend is not tried again`(failureClass: FailureClass) throws {
        upstream.script = { _ in .refused(UpstreamFailure(.refused, failureClass, detail: "no")) }
        _ = decide()
        #expect(upstream.calls == 1)
    }

    @Test func `a call that the look stopped is given back to the ledger`() throws {
        upstream.beforeLook = { if self.upstream.calls == 0 { self.clock.advance(by: .seconds(4)) } }
        _ = decide(within: .seconds(9))
        #expect(try row().ledger?.calls == 0)
    }

    // MARK: One flight

    @Test func `callers of one process share one call, and its failure, without a statement meanwhile`() throws {
        let flights = Flights()
        let counting = CountingStore(store)
        let pilot = Broker(store: store, upstream: upstream, clock: clock, flights: flights)
        let passenger = Broker(store: counting, upstream: upstream, clock: clock, flights: flights)
        var patience: Patience?
        upstream.beforeLook = {
            // The lease is taken, so the row tells; the same between board and take is the next test's.
            guard case .wait(_, let state) = self.decide(by: passenger) else { return }
            patience = state
        }
        upstream.script = { _ in .refused(UpstreamFailure(.refused, .configuration, detail: "no")) }
        _ = decide(by: pilot)
        let resumed = passenger.decide(
            id, wish: .token(minimumLife: nil), deadline: nil, resuming: patience)
        guard case .upstream(let failure, _) = refusal(resumed) else {
            Issue.record("\(resumed)")
            return
        }
        #expect(failure.detail == "no")
        #expect(upstream.calls == 1)
    }

    @Test func `who boards while the pilot takes the lease waits for the flight, not for the database`() throws {
        let flights = Flights()
        let taking = CountingStore(store)
        let counting = CountingStore(store)
        let pilot = Broker(store: taking, upstream: upstream, clock: clock, flights: flights)
        let passenger = Broker(store: counting, upstream: upstream, clock: clock, flights: flights)
        var patience: Patience?
        taking.before = { statement in
            guard statement == "take", case .wait(_, let state) = self.decide(by: passenger) else { return }
            patience = state
        }
        upstream.script = { _ in .refused(UpstreamFailure(.refused, .configuration, detail: "no")) }
        upstream.whileUnderWay = {
            guard let waiting = patience else { return }
            let again = passenger.decide(
                self.id, wish: .token(minimumLife: nil), deadline: nil, resuming: waiting)
            guard case .wait(_, let state) = again else {
                Issue.record("\(again)")
                return
            }
            patience = state
        }
        _ = decide(by: pilot)
        #expect(counting.statements == ["read"])
        let resumed = passenger.decide(
            id, wish: .token(minimumLife: nil), deadline: nil, resuming: patience)
        guard case .upstream(let failure, _) = refusal(resumed) else {
            Issue.record("\(resumed)")
            return
        }
        #expect(failure.detail == "no")
        #expect(counting.statements == ["read", "read"])
        #expect(upstream.calls == 1)
    }

    @Test func `an instance makes no more calls of one realm at a time than it can bear`() throws {
        let flights = Flights(perRealm: 1, total: 2)
        let pilot = Broker(store: store, upstream: upstream, clock: clock, flights: flights)
        let second = Broker(store: store, upstream: upstream, clock: clock, flights: flights)
        let other = SecretID(realm: "wx", key: "other")
        let elsewhere = SecretID(realm: "qq", key: "app")
        _ = try store.write("qq", RealmChange(config: .set("{}")))
        for id in [other, elsewhere] { _ = try store.write(id, ["key_1": .set(Redacted("a"))]) }
        var decisions: [Decision] = []
        var isFirst = true
        upstream.whileUnderWay = {
            guard isFirst else { return }
            isFirst = false
            for id in [other, elsewhere] {
                decisions.append(second.decide(id, wish: .token(minimumLife: nil), deadline: nil))
            }
        }
        _ = decide(by: pilot)
        guard decisions.count == 2, case .wait = decisions[0], case .answer = decisions[1] else {
            Issue.record("\(decisions)")
            return
        }
        #expect(answer(second.decide(other, wish: .token(minimumLife: nil), deadline: nil)) != nil)
    }

    @Test func `a realm's cap on calls holds over instances, and a place comes back`() throws {
        _ = try store.write("wx", RealmChange(policy: .set("{\"concurrency\":1}")))
        let other = SecretID(realm: "wx", key: "other")
        _ = try store.write(other, ["key_1": .set(Redacted("a"))])
        let elsewhere = Broker(store: store, upstream: upstream, clock: clock)
        var crowded: Decision?
        var isFirst = true
        upstream.whileUnderWay = {
            guard isFirst else { return }
            isFirst = false
            crowded = elsewhere.decide(other, wish: .token(minimumLife: nil), deadline: nil)
        }
        #expect(answer(decide()) != nil)
        guard case .wait = try #require(crowded) else {
            Issue.record("\(String(describing: crowded))")
            return
        }
        #expect(answer(elsewhere.decide(other, wish: .token(minimumLife: nil), deadline: nil)) != nil)
        #expect(upstream.calls == 2)
    }

    // MARK: Use

    @Test func `a hit notes its use once in an eighth of the idle time, by one statement`() throws {
        _ = decide()
        clock.advance(by: .seconds(7 * 86_400 / 8 + 1))
        _ = decide()
        let counting = CountingStore(store)
        let broker = Broker(store: counting, upstream: upstream, clock: clock)
        for _ in 0..<50 { _ = decide(by: broker) }
        #expect(Set(counting.statements) == ["read"])
        _ = try store.write("wx", RealmChange(policy: .set("{\"class\":\"E\",\"idle_after\":800}")))
        clock.advance(by: .seconds(101))
        let second = CountingStore(store)
        let later = Broker(store: second, upstream: upstream, clock: clock)
        for _ in 0..<50 { _ = decide(by: later) }
        #expect(second.statements.count == 51)
        #expect(second.statements.filter { $0 == "note use" }.count == 1)
    }

    @Test func `the schedule's own look is no use`() throws {
        _ = decide()
        let usedAt = try row().usedAt
        clock.advance(by: .seconds(7_000))
        #expect(answer(decide(.upkeep))?.source == .upstream)
        #expect(try row().usedAt == usedAt)
    }

    // MARK: A hung provider

    @Test func `two hundred callers on a hung provider wait without a worker, a call or a statement`() throws {
        let flights = Flights()
        let counting = CountingStore(store)
        let ids = (0..<50).map { SecretID(realm: "wx", key: "hung-\($0)") }
        for id in ids { _ = try store.write(id, ["key_1": .set(Redacted("a"))]) }
        let healthy = SecretID(realm: "qq", key: "app")
        _ = try store.write("qq", RealmChange(config: .set("{}")))
        _ = try store.write(healthy, ["key_1": .set(Redacted("a"))])
        let good = ScriptedUpstream { _ in .minted(Redacted("good"), life: .seconds(7_200)) }
        _ = Broker(store: store, upstream: good, clock: clock).decide(
            healthy, wish: .token(minimumLife: nil), deadline: nil)

        // Four calls hang, one inside the other; inside of all of them everybody else comes.
        var hung = 0
        var waiting: [(id: SecretID, patience: Patience)] = []
        upstream.whileUnderWay = { [self] in
            hung += 1
            if hung < 4 {
                _ = Broker(store: store, upstream: upstream, clock: clock, flights: flights)
                    .decide(ids[hung], wish: .token(minimumLife: nil), deadline: nil)
                return
            }
            let worker = Broker(store: counting, upstream: upstream, clock: clock, flights: flights)
            for caller in 0..<200 {
                let id = ids[caller % 50]
                guard case .wait(_, let patience) = worker.decide(id, wish: .token(minimumLife: nil), deadline: nil)
                else {
                    Issue.record("caller \(caller) was not told to wait")
                    return
                }
                waiting.append((id: id, patience: patience))
            }
            #expect(counting.statements == [String](repeating: "read", count: 200))
            // A hit elsewhere is a hit: the same worker is free.
            let hit = answer(worker.decide(healthy, wish: .token(minimumLife: nil), deadline: nil))
            #expect(hit?.token.reveal() == "good")
        }
        _ = Broker(store: store, upstream: upstream, clock: clock, flights: flights)
            .decide(ids[0], wish: .token(minimumLife: nil), deadline: nil)
        #expect(waiting.count == 200)
        #expect(upstream.calls == 4)
        #expect(Set(counting.statements) == ["read"])
        // The four calls are over: those who waited for them have their tokens, by one statement each.
        upstream.whileUnderWay = {}
        for caller in waiting where ids[..<4].contains(caller.id) {
            let resumed = Broker(store: store, upstream: upstream, clock: clock, flights: flights)
                .decide(caller.id, wish: .token(minimumLife: nil), deadline: nil, resuming: caller.patience)
            #expect(answer(resumed) != nil)
        }
        #expect(upstream.calls == 4)
    }

    // MARK: Deadlines

    @Test func `a second try has no more time than the caller has left`() throws {
        var timeouts: [Duration] = []
        upstream.script = { _ in
            timeouts.append(self.upstream.timeout)
            return .refused(UpstreamFailure(.unreachable, .transient, detail: "refused"))
        }
        upstream.whileUnderWay = { self.clock.advance(by: .milliseconds(1_500)) }
        _ = decide(within: .seconds(5))
        #expect(timeouts == [.milliseconds(4_500), .seconds(3)])
        clock.advance(by: .seconds(600))
        timeouts = []
        _ = decide(within: .milliseconds(2_500))
        #expect(timeouts == [.seconds(2)])
    }

    @Test func `where there is no time for a refresh the stored token is not called stale`() throws {
        _ = decide()
        clock.advance(by: .seconds(7_000))
        let hurried = answer(decide(within: .seconds(1)))
        #expect(hurried?.token.reveal() == "t1")
        #expect(hurried?.isStale == false)
        #expect(upstream.calls == 1)
    }

    @Test func `a place is given back when the database fails`() throws {
        _ = try store.write("wx", RealmChange(policy: .set("{\"concurrency\":1}")))
        let failing = CountingStore(store)
        let broker = Broker(store: failing, upstream: upstream, clock: clock)
        failing.failNext = "material"
        guard case .storeUnavailable = refusal(decide(by: broker)) else {
            Issue.record("no failure")
            return
        }
        #expect(failing.statements.contains("leave"))
    }

    @Test func `two names that only look alike are two secrets`() {
        let composed = SecretID(realm: "wx", key: "\u{E9}")
        let decomposed = SecretID(realm: "wx", key: "e\u{301}")
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
    }
}
