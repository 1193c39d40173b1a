import Clocks
import FakeProvider
import JSON
import Log
import TestKit
import Testing
import Tokens

/// Histories that broke simpler protocols, by the numbers they have in `docs/token-lifetime.md`; those not here are in
/// `BrokerTests`, and the cache's (19) with the cache.
@Suite final class HistoryTests: BrokerFixture {
    /// Another instance that always gets a token.
    private func other(_ token: String) -> Broker {
        let upstream = ScriptedUpstream { _ in .minted(Redacted(token), life: .seconds(7_200)) }
        return Broker(store: store, upstream: upstream, clock: clock)
    }

    /// A call that nobody hears of again: its lease stays open.
    private func lostCall(_ wish: Wish = .flush) {
        let lost = ScriptedUpstream { _ in .ambiguous(UpstreamFailure(.unreachable, .transient, detail: "lost")) }
        _ = decide(wish, by: Broker(store: store, upstream: lost, clock: clock))
    }

    @Test func `history 3: the gap alone is not enough after a lost call`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        lostCall()
        clock.advance(by: .seconds(130))
        #expect(answer(decide(.flush))?.token.reveal() == "t1")
        #expect(upstream.calls == 1)
    }

    @Test func `history 4: in doubt the next mint is at the whole of the stored token's end, not 2 s before`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        lostCall()
        clock.advance(by: .seconds(298))
        #expect(answer(decide())?.expiresIn == .seconds(2))
        clock.advance(by: .seconds(1))
        guard case .wait = decide() else {
            Issue.record("no wait")
            return
        }
        clock.advance(by: .milliseconds(999))
        #expect(upstream.calls == 1)
        clock.advance(by: .milliseconds(1))
        #expect(answer(decide())?.token.reveal() == "t2")
    }

    @Test func `history 6: a late call whose answer is lost is marked all the same`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        let second = other("k+1")
        upstream.beforeSending = {
            self.clock.advance(by: .seconds(400))
            _ = self.decide(.flush, by: second)
        }
        upstream.script = { _ in .ambiguous(UpstreamFailure(.unreachable, .transient, detail: "lost")) }
        _ = decide(.flush)
        #expect(try row().token?.reveal() == "k+1")
        #expect(try row().marks == 1)
        #expect(try row().diesAt == clock.now().wall - .seconds(1) + .seconds(300))
    }

    @Test func `history 8: a look that was frozen before its answer was read is no look`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        let second = other("k+1")
        var reads = 0
        counting.after = { statement in
            guard statement == "read" else { return }
            reads += 1
            // The first reading decides, the second is the look.
            guard reads == 2 else { return }
            self.clock.advance(by: .seconds(3_600))
            _ = self.decide(.flush, by: second)
        }
        #expect(answer(decide(.flush))?.token.reveal() == "k+1")
        #expect(upstream.calls == 1)
    }

    @Test func `history 9: a mark between another's look and commit is not erased`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        let look = clock.now().wall
        upstream.whileUnderWay = {
            guard let row = try? self.row() else { return }
            _ = try? self.store.mark(
                self.id, LateMintMark(mine: row.fence - 1, marks: 0, mintedBefore: look, diesAt: look + .seconds(299)))
        }
        #expect(answer(decide(.flush))?.token.reveal() == "t2")
        #expect(try row().doubts == 1)
        #expect(try row().diesAt == look + .seconds(300))
    }

    @Test func `history 10: a late call of a holder that nobody fenced out is marked by its open lease alone`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        upstream.beforeSending = { self.clock.advance(by: .seconds(60)) }
        upstream.script = { _ in .ambiguous(UpstreamFailure(.unreachable, .transient, detail: "lost")) }
        _ = decide(.flush)
        #expect(try row().marks == 0)
        #expect(try row().doubts == 0)
        #expect(try row().leaseUntil != nil)
        #expect(answer(decide())?.expiresIn == .seconds(240))
    }

    @Test func `history 11: a commit after the end of a lease that nobody took succeeds`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        upstream.whileUnderWay = { self.clock.advance(by: .seconds(60)) }
        #expect(answer(decide(.flush))?.token.reveal() == "t2")
        #expect(try row().generation == 2)
        #expect(try row().doubts == 0)
        #expect(upstream.calls == 2)
    }

    @Test(arguments: [119, 121])
    func
        `history 15: a second flush is suppressed within the gap, after it allowed, and a cached copy lives out its time`(
            pause: Int
        ) throws
    {
        var provider = ClassRules(
            .killsPrevious, life: .seconds(7_200), overlap: .seconds(300), window: .seconds(300))
        upstream.script = { _ in
            guard
                case .token(let number, let life, _) = provider.call(
                    forced: false, refresh: 0, now: self.clock.now().wall)
            else { return .refused(UpstreamFailure(.refused, .configuration, detail: "no")) }
            return .minted(Redacted("k\(number)"), life: life)
        }
        _ = decide()
        clock.advance(by: .seconds(1_000))
        // A cache takes its copy right before the first flush.
        let copy = try #require(answer(decide()))
        let copiedAt = clock.now().wall
        #expect(copy.maxAge == .seconds(60))
        #expect(answer(decide(.flush))?.token.reveal() == "k1")

        clock.advance(by: .seconds(pause))
        let second = answer(decide(.flush))
        #expect(second?.isSuppressed == (pause < 120))
        #expect(second?.token.reveal() == (pause < 120 ? "k1" : "k2"))
        #expect(provider.token(0).diesAt >= copiedAt + copy.maxAge + copy.staleIfError)
    }

    @Test func `history 16: the gap counts from the commit, not from the mint`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        upstream.whileUnderWay = { self.clock.advance(by: .seconds(6)) }
        _ = decide(.flush)
        upstream.whileUnderWay = {}
        clock.advance(by: .seconds(114))
        #expect(answer(decide(.flush))?.isSuppressed == true)
        clock.advance(by: .seconds(6))
        #expect(answer(decide(.flush))?.token.reveal() == "t3")
    }

    @Test func `history 17: after the refresh that heals a mark the gap is the whole one`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        let row = try row()
        let now = clock.now().wall
        let isMarked = try store.mark(
            id, LateMintMark(mine: row.fence - 1, marks: 0, mintedBefore: now, diesAt: now + .seconds(20)))
        #expect(isMarked)
        clock.advance(by: .seconds(20))
        #expect(answer(decide())?.token.reveal() == "t2")
        clock.advance(by: .seconds(119))
        #expect(answer(decide(.flush))?.isSuppressed == true)
        clock.advance(by: .seconds(1))
        #expect(answer(decide(.flush))?.token.reveal() == "t3")
    }

    @Test func `history 18: thousands of reports of the token before cost nothing`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        _ = decide(.flush)
        for _ in 0..<2_000 {
            #expect(answer(decide(.replacement(of: "t1")))?.token.reveal() == "t2")
        }
        #expect(upstream.calls == 2)
    }

    @Test func `a thousand reports of one bad token cause one call`() throws {
        _ = decide()
        clock.advance(by: .seconds(1_000))
        for _ in 0..<1_000 {
            #expect(answer(decide(.replacement(of: "t1")))?.token.reveal() == "t2")
        }
        #expect(upstream.calls == 2)
    }

    @Test func `history 20: time in which the steady clock stood still is counted by the wall`() throws {
        _ = decide()
        var reads = 0
        counting.after = { statement in
            guard statement == "read" else { return }
            reads += 1
            // The token was good when the row was read; the instance was frozen until long after its end.
            if reads == 1 { self.clock.jump(by: .seconds(9_000)) }
        }
        #expect(answer(decide())?.token.reveal() == "t2")
    }

    @Test func `history 21: a class C token with a second left that comes again is waited for, by one call`() throws {
        _ = try store.write("wx", RealmChange(policy: .set("{\"class\":\"C\"}")))
        var end = clock.now().wall
        var count = 0
        upstream.script = { _ in
            let now = self.clock.now().wall
            if end <= now {
                end = now + .seconds(7_200)
                count += 1
            }
            return .minted(Redacted("c\(count)"), life: end - now)
        }
        #expect(answer(decide())?.token.reveal() == "c1")
        clock.advance(by: .seconds(7_199))
        var decision = decide()
        var waited = Duration.zero
        while case .wait(let delay, let patience) = decision {
            clock.advance(by: delay)
            waited += delay
            decision = broker.decide(id, wish: .token(minimumLife: nil), deadline: nil, resuming: patience)
        }
        #expect(answer(decision)?.token.reveal() == "c2")
        #expect(waited <= .seconds(2))
        #expect(upstream.calls == 3)
    }

    @Test func `history 22: a routine refresh cuts nobody's promise short`() throws {
        let life = Duration.seconds(7_200)
        for overlap in [20, 60, 300, 600] {
            _ = try store.write("wx", RealmChange(policy: .set("{\"overlap\":\(overlap)}")))
            guard case .found(let snapshot) = try store.read(id, clock: clock) else { return }
            #expect(snapshot.policy.softMargin(life: life) <= .seconds(overlap))
        }
    }

    // MARK: A day of WeChat's

    /// WeChat by its own rules, on this test's clock; keeps what it answers.
    private func weChat(
        _ settings: Settings = Settings(), _ call: @escaping (inout ProviderBench, _ isForced: Bool) throws -> Value
    ) -> (codes: () -> [Int64], forcedAt: () -> [Timestamp]) {
        var bench = ProviderBench(settings)
        // Its day begins with the test's.
        let begin = Policy().midnight(after: bench.now)
        clock.advance(by: begin - clock.now().wall)
        var codes: [Int64] = []
        var forcedAt: [Timestamp] = []
        upstream.script = { _ in
            let now = self.clock.now().wall
            bench.wait(now - bench.now)
            guard let answer = try? call(&bench, self.upstream.isForced) else {
                return .ambiguous(UpstreamFailure(.unreachable, .transient, detail: "no answer"))
            }
            codes.append(answer.errcode ?? 0)
            guard let token = try? answer.accessToken, let life = answer["expires_in"]?.number?.integer else {
                return .refused(UpstreamFailure(.refused, .quota, detail: "45009", isDaily: true))
            }
            if self.upstream.isForced { forcedAt.append(now) }
            return .minted(Redacted(token), life: .seconds(life))
        }
        return (codes: { codes }, forcedAt: { forcedAt })
    }

    /// Every five seconds somebody flushes and somebody says that the stored token is bad.
    private func hostileDay() throws {
        let end = clock.now().wall + .seconds(86_400)
        while clock.now().wall < end {
            _ = decide(.flush)
            if let token = try row().token { _ = decide(.replacement(of: token.reveal())) }
            clock.advance(by: .seconds(5))
        }
    }

    @Test func `a day of hostile flushes asks for all that WeChat allows, and never meets 45009`() throws {
        // Neither gap nor budget is in the way: nothing but the quota keeps a caller from asking 8,640 times.
        _ = try store.write(
            "wx", RealmChange(policy: .set(#"{"quota": 2000, "flush_budget": 100000, "gap": 10}"#)))
        // Tokens of a minute, so that routine calls use up what is kept for them.
        let provider = weChat(Settings(life: .seconds(60))) { bench, _ in try bench.classic() }
        try hostileDay()
        #expect(provider.codes() == [Int64](repeating: 0, count: 2_000))
        // Three quarters of the quota for forced calls and the first, which nobody forced.
        #expect(provider.forcedAt().count == 1_499)
        // The next day is another.
        #expect(answer(decide(.flush)) != nil)
        #expect(provider.codes().last == 0)
        #expect(upstream.calls == 2_001)
    }

    @Test func `a day of hostile flushes forces stable_token twenty times, far enough apart`() throws {
        _ = try store.write("wx", RealmChange(policy: .set(#"{"class": "B"}"#)))
        let provider = weChat { bench, isForced in try bench.stable(force: isForced) }
        try hostileDay()
        let forcedAt = provider.forcedAt()
        #expect(Set(provider.codes()) == [0])
        #expect(forcedAt.count == 20)
        #expect(zip(forcedAt, forcedAt.dropFirst()).allSatisfy { $1 - $0 >= .seconds(120) })
    }
}
