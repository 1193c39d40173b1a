import Clocks
import Log
import TestKit
import Testing
import Tokens

/// Histories of the refresh protocol: hits and losers, doubt, fences, answers that are lost.
@Suite final class BrokerTests: BrokerFixture {
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
        #expect(counting.shared == [true])
    }

    @Test func `a refresh is take, material, look, commit between two readings`() throws {
        let counting = CountingStore(store)
        _ = decide(by: Broker(store: counting, upstream: upstream, clock: clock))
        #expect(counting.statements == ["read", "take", "material", "read", "commit", "read"])
        // What it has written itself must show.
        #expect(counting.shared == [true, false, false])
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
}
