import Clocks
import Log
import TestKit
import Testing
import Tokens

/// Histories of the refresh protocol, each against the store in memory and a provider that a test scripts.
@Suite struct BrokerTests {
    private let clock = ManualClock()
    private let store: InMemoryStore
    private let upstream: ScriptedUpstream
    private let broker: Broker
    private let id = SecretID(realm: "wx", key: "app")

    private final class Mints {
        var count = 0
    }

    init() throws {
        store = InMemoryStore(clock: clock)
        let mints = Mints()
        upstream = ScriptedUpstream { _ in
            mints.count += 1
            return .minted(Redacted("t\(mints.count)"), life: .seconds(7_200))
        }
        broker = Broker(store: store, upstream: upstream, clock: clock)
        _ = try store.write("wx", RealmChange(config: .set("{}")))
        _ = try store.write(id, ["key_1": .set(Redacted("a"))])
    }

    private func decide(
        _ wish: Wish = .token(minimumLife: nil), by broker: Broker? = nil, within limit: Duration? = nil
    ) -> Decision {
        (broker ?? self.broker).decide(id, wish: wish, deadline: limit.map { clock.now() + $0 })
    }

    private func answer(_ decision: Decision) -> Answer? {
        if case .answer(let answer) = decision { answer } else { nil }
    }

    private func refusal(_ decision: Decision) -> Refusal? {
        if case .refuse(let refusal) = decision { refusal } else { nil }
    }

    private func row() throws -> TokenRow {
        guard case .found(let snapshot) = try store.read(id, clock: clock) else { throw StoreError.broken("no row") }
        return snapshot.row
    }

    /// A holder that takes the lease and is never heard of again.
    private func holderThatDies(_ reason: RefreshReason = .flush) throws {
        let row = try row()
        let now = clock.now().wall
        let snapshot = Snapshot(
            row: row, version: row.mintedFor ?? Version(realm: 0, secret: 0), hasUpstream: true, policy: .undeclared,
            now: now, asked: clock.now())
        let seen = Assessment(snapshot, wish: .flush, now: now)
        let hasLostLease = row.leaseUntil != nil
        let isTaken = try store.take(
            id,
            LeaseRequest(
                fence: row.fence, generation: row.generation, marks: row.marks,
                doubts: row.doubts + (hasLostLease ? 1 : 0),
                diesAt: hasLostLease ? seen.diesAt : row.diesAt, fails: row.fails + (hasLostLease ? 1 : 0),
                holder: "dead",
                reason: reason, lease: Policy.undeclared.lease, day: Policy.undeclared.day(at: now), isUse: true))
        try #require(isTaken)
    }

    // MARK: Hits

    @Test func `a hit is one reading statement`() throws {
        _ = decide()
        let counting = CountingStore(store)
        let broker = Broker(store: counting, upstream: upstream, clock: clock)
        #expect(answer(decide(by: broker))?.source == .database)
        #expect(counting.statements == ["read"])
    }

    @Test func `a refresh is take, material, look, commit between two readings`() throws {
        let counting = CountingStore(store)
        _ = decide(by: Broker(store: counting, upstream: upstream, clock: clock))
        #expect(counting.statements == ["read", "take", "material", "read", "commit", "read"])
    }

    @Test func `a failure that is remembered costs one statement`() throws {
        upstream.script = { _ in .refused(UpstreamFailure(.refused, .configuration, detail: "no")) }
        _ = decide()
        let counting = CountingStore(store)
        guard case .upstream = refusal(decide(by: Broker(store: counting, upstream: upstream, clock: clock))) else {
            Issue.record("no failure")
            return
        }
        #expect(counting.statements == ["read"])
        #expect(upstream.calls == 1)
    }

    // MARK: Losers

    @Test func `while another refreshes a dead token callers wait, and get the new one`() throws {
        var patience: Patience?
        upstream.whileUnderWay = {
            guard case .wait(let delay, let state) = self.decide() else {
                Issue.record("no wait")
                return
            }
            #expect(delay <= .milliseconds(200))
            patience = state
        }
        #expect(answer(decide())?.source == .upstream)
        let later = broker.decide(id, wish: .token(minimumLife: nil), deadline: nil, resuming: patience)
        #expect(answer(later)?.source == .database)
        #expect(upstream.calls == 1)
    }

    @Test func `while another refreshes a soft token callers get the stored one at once`() throws {
        _ = decide()
        clock.advance(by: .seconds(7_000))
        var loser: Answer?
        upstream.whileUnderWay = { loser = self.answer(self.decide()) }
        #expect(answer(decide())?.token.reveal() == "t2")
        #expect(loser?.token.reveal() == "t1")
        #expect(loser?.isStale == false)
    }

    @Test func `a flush that waited for another's mint is content with it`() throws {
        _ = decide()
        var patience: Patience?
        upstream.whileUnderWay = {
            guard case .wait(_, let state) = self.decide(.flush) else {
                Issue.record("no wait")
                return
            }
            patience = state
        }
        _ = decide(.flush)
        let later = answer(broker.decide(id, wish: .flush, deadline: nil, resuming: patience))
        #expect(later?.token.reveal() == "t2")
        #expect(later?.isSuppressed == false)
        #expect(upstream.calls == 2)
    }

    @Test func `whoever waits is answered before the deadline`() throws {
        try holderThatDies(.dead)
        var decision = decide(within: .seconds(2))
        let start = clock.now()
        while case .wait(let delay, let patience) = decision {
            clock.advance(by: delay)
            decision = broker.decide(
                id, wish: .token(minimumLife: nil), deadline: start + .seconds(2), resuming: patience)
        }
        guard case .busy(let retryAfter) = refusal(decision) else {
            Issue.record("\(decision)")
            return
        }
        #expect(start.elapsed(to: clock.now()) < .seconds(2))
        #expect(retryAfter > .seconds(7))
    }

    @Test func `no refresh is begun with too little time to end it`() throws {
        guard case .busy = refusal(decide(within: .seconds(1))) else {
            Issue.record("begun")
            return
        }
        #expect(upstream.calls == 0)
        #expect(try row().leaseUntil == nil)
    }

    // MARK: Doubt

    @Test func `history 1: after a holder died nobody mints before the stored token must be dead`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        try holderThatDies()
        clock.advance(by: .seconds(11))
        let doubtful = answer(decide(.flush))
        #expect(doubtful?.token.reveal() == "t1")
        #expect(doubtful?.isSuppressed == true)
        #expect(doubtful?.expiresIn == .seconds(289))
        clock.advance(by: .seconds(288))
        #expect(upstream.calls == 1)
        guard case .wait(let delay, _) = decide() else {
            Issue.record("no wait")
            return
        }
        #expect(delay <= .seconds(1))
        clock.advance(by: .seconds(1))
        #expect(answer(decide())?.token.reveal() == "t2")
        #expect(upstream.calls == 2)
        #expect(try row().doubts == 0)
    }

    @Test func `history 2: a second holder that dies in doubt ends the stored token`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        try holderThatDies()
        clock.advance(by: .seconds(300))
        try holderThatDies()
        guard case .wait = decide() else {
            Issue.record("served")
            return
        }
        clock.advance(by: .seconds(20))
        #expect(answer(decide())?.token.reveal() == "t2")
    }

    @Test func `an ambiguous call leaves its lease to run out`() throws {
        _ = decide()
        clock.advance(by: .seconds(7_000))
        upstream.script = { _ in .ambiguous(UpstreamFailure(.unreachable, .transient, detail: "timeout")) }
        let stale = answer(decide())
        #expect(stale?.token.reveal() == "t1")
        #expect(stale?.isStale == true)
        #expect(try row().leaseUntil != nil)
        #expect(try row().retryAt == nil)
    }

    // MARK: Fences

    /// Freezes the holder of a flush so long that its lease runs out, the doubt ends and another mints.
    private func overtake(freeze: (@escaping () -> Void) -> Void) throws -> (fencedOut: Answer?, other: Answer?) {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        var second: Answer?
        let other = ScriptedUpstream { _ in .minted(Redacted("k+1"), life: .seconds(7_200)) }
        freeze {
            self.clock.advance(by: .seconds(400))
            second = self.answer(self.decide(.flush, by: Broker(store: self.store, upstream: other, clock: self.clock)))
        }
        return (answer(decide(.flush)), second)
    }

    @Test func `history 5: a holder that froze before sending and was overtaken marks what its late mint does`() throws
    {
        let sentAt = clock.now().wall + .seconds(1_400)
        let (fencedOut, other) = try overtake { upstream.beforeSending = $0 }
        #expect(other?.token.reveal() == "k+1")
        // Its own token is neither stored nor served, and the stored one is known to die of it.
        #expect(fencedOut?.token.reveal() == "k+1")
        let row = try row()
        #expect(row.token?.reveal() == "k+1")
        #expect(row.marks == 1)
        #expect(row.doubts == 1)
        #expect(row.diesAt == sentAt - .seconds(1) + .seconds(300))
        #expect(answer(decide())?.expiresIn == .seconds(299))
        // One healing refresh, when the token must be dead, and all is well again.
        upstream.beforeSending = {}
        clock.advance(by: .seconds(299))
        #expect(answer(decide())?.source == .upstream)
        #expect(try self.row().doubts == 0)
    }

    @Test func `history 7: a holder that froze after sending raises no false alarm`() throws {
        let (fencedOut, other) = try overtake { upstream.whileUnderWay = $0 }
        #expect(other?.token.reveal() == "k+1")
        #expect(fencedOut?.token.reveal() == "k+1")
        let row = try row()
        #expect(row.token?.reveal() == "k+1")
        #expect(row.marks == 0)
        #expect(row.diesAt == nil)
    }

    @Test func `history 14: an edit in mid-refresh stores the token under the version it was minted for`() throws {
        upstream.whileUnderWay = { _ = try? self.store.write(self.id, ["key_1": .set(Redacted("b"))]) }
        let first = answer(decide())
        #expect(first?.token.reveal() == "t1")
        #expect(first?.isStale == true)
        upstream.whileUnderWay = {}
        let second = answer(decide())
        #expect(second?.token.reveal() == "t2")
        #expect(second?.isStale == false)
    }

    @Test func `an edit before the look sends nothing with the old credentials`() throws {
        var edits = 0
        upstream.beforeLook = {
            edits += 1
            if edits == 1 { _ = try? self.store.write(self.id, ["key_1": .set(Redacted("b"))]) }
        }
        #expect(answer(decide())?.token.reveal() == "t1")
        #expect(upstream.calls == 1)
        #expect(edits == 2)
    }

    @Test func `a look that comes too late sends nothing`() throws {
        var turns = 0
        upstream.beforeLook = {
            turns += 1
            if turns == 1 { self.clock.advance(by: .seconds(4)) }
        }
        #expect(answer(decide())?.token.reveal() == "t1")
        #expect(upstream.calls == 1)
        #expect(turns == 2)
    }

    // MARK: Lost answers

    @Test func `history 12: a commit whose answer is lost is one generation`() throws {
        let lossy = CountingStore(store)
        lossy.loseAnswer = "commit"
        let first = answer(decide(by: Broker(store: lossy, upstream: upstream, clock: clock)))
        #expect(first?.token.reveal() == "t1")
        #expect(try row().generation == 1)
        #expect(upstream.calls == 1)
    }

    @Test func `history 13: a take whose answer is lost is still a lease`() throws {
        let lossy = CountingStore(store)
        lossy.loseAnswer = "take"
        #expect(answer(decide(by: Broker(store: lossy, upstream: upstream, clock: clock)))?.token.reveal() == "t1")
        #expect(upstream.calls == 1)
        #expect(try row().doubts == 0)
    }

    @Test func `a database that is away is said so`() throws {
        let away = CountingStore(store)
        away.isAway = true
        #expect(refusal(decide(by: Broker(store: away, upstream: upstream, clock: clock))) == .storeUnavailable)
    }

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
