import Clocks
import Log
import TestKit
import Testing
import Tokens

/// Tokens that are not to be had again, or cannot be served: discarded, reported, flushed, without life.
@Suite final class UnwantedTokenTests: BrokerFixture {
    private func policy(_ text: String) throws {
        _ = try store.write("wx", RealmChange(policy: .set(text)))
    }

    private func edit(discarding: Bool = false) throws {
        _ = try store.write(id, ["key_1": .set(Redacted("another"))], discardsToken: discarding)
    }

    /// Class B: the same token unless another is forced.
    private func givesTheSameUnlessForced() throws {
        try policy(#"{"class":"B"}"#)
        var count = 1
        upstream.script = { _ in
            if self.upstream.isForced { count += 1 }
            return .minted(Redacted("s\(count)"), life: .seconds(7_200))
        }
        #expect(answer(decide())?.token.reveal() == "s1")
    }

    // MARK: Discarded

    @Test func `a discarded token is not had again: the call is a forced one`() throws {
        try givesTheSameUnlessForced()
        try edit(discarding: true)
        let fresh = answer(decide())
        #expect(fresh?.token.reveal() == "s2")
        #expect(fresh?.isStale == false)
        // It is no caller's flush.
        #expect(try row().ledger?.forced == 0)
    }

    @Test func `a discard between the reading and the call is seen before anything is sent`() throws {
        try givesTheSameUnlessForced()
        clock.advance(by: .seconds(7_000))
        var edits = 0
        counting.before = { statement in
            guard statement == "material", edits == 0 else { return }
            edits += 1
            try? self.edit(discarding: true)
        }
        #expect(answer(decide())?.token.reveal() == "s2")
        #expect(upstream.calls == 2)
        #expect(try row().ledger?.calls == 2)
    }

    // MARK: Flushes and reports after an edit

    @Test func `a flush after an edit is still a flush`() throws {
        try givesTheSameUnlessForced()
        try edit()
        #expect(answer(decide(.flush))?.token.reveal() == "s2")
        #expect(try row().ledger?.forced == 1)
    }

    @Test func `a report after an edit is answered with another token`() throws {
        try givesTheSameUnlessForced()
        try edit()
        #expect(answer(decide(.replacement(of: "s1")))?.token.reveal() == "s2")
    }

    @Test func `without a wish an edit forces nothing`() throws {
        try givesTheSameUnlessForced()
        try edit()
        let again = answer(decide())
        #expect(again?.token.reveal() == "s1")
        #expect(again?.isStale == false)
        #expect(!upstream.isForced)
    }

    @Test func `after an edit a flush passes over a transient pause, as ever`() throws {
        _ = decide()
        try edit()
        let script = upstream.script
        upstream.script = { _ in .refused(UpstreamFailure(.refused, .transient, detail: "busy")) }
        #expect(answer(decide())?.isStale == true)
        upstream.script = script
        let calls = upstream.calls
        let flushed = answer(decide(.flush))
        #expect(flushed?.token.reveal() == "t2")
        #expect(flushed?.isSuppressed == false)
        #expect(upstream.calls == calls + 1)
    }

    @Test func `a flush that must wait after an edit is answered with a stale token, and says so`() throws {
        _ = decide()
        _ = decide(.flush)
        try edit()
        let held = answer(decide(.flush))
        #expect(held?.token.reveal() == "t2")
        #expect(held?.isStale == true)
        #expect(held?.isSuppressed == true)
    }

    // MARK: Without life

    @Test(arguments: ["A", "E"])
    func `a token without life is a failure that is stored, and no call for each request`(
        providerClass: String
    ) throws {
        try policy(#"{"class":"\#(providerClass)"}"#)
        upstream.script = { _ in .minted(Redacted("short"), life: .seconds(1)) }
        var decision = decide(within: .seconds(10))
        let deadline = clock.now() + .seconds(10)
        while case .wait(let delay, let patience) = decision {
            clock.advance(by: delay)
            decision = broker.decide(id, wish: .token(minimumLife: nil), deadline: deadline, resuming: patience)
        }
        // At once, and after 1, 2 and 4 s.
        #expect(upstream.calls <= 4)
        guard case .upstream(let failure, _) = refusal(decision) else {
            Issue.record("\(decision)")
            return
        }
        #expect(failure.detail.contains("less than 2 s"))
        #expect(try row().token == nil)
        let calls = upstream.calls
        for _ in 0..<50 { _ = decide(within: .seconds(1)) }
        #expect(upstream.calls == calls)
    }

    @Test func `a token without life replaces none that lives`() throws {
        try policy(#"{"class":"E"}"#)
        _ = decide()
        clock.advance(by: .seconds(7_000))
        upstream.script = { _ in .minted(Redacted("short"), life: .zero) }
        let stale = answer(decide())
        #expect(stale?.token.reveal() == "t1")
        #expect(stale?.isStale == true)
    }

    @Test func `where a mint kills a token without life leaves the doubt that it did`() throws {
        _ = decide()
        clock.advance(by: .seconds(7_000))
        upstream.script = { _ in .minted(Redacted("short"), life: .zero) }
        #expect(answer(decide())?.token.reveal() == "t1")
        #expect(try row().leaseUntil != nil)
        clock.advance(by: .seconds(11))
        #expect(answer(decide())?.expiresIn == .seconds(189))
    }

    @Test func `a refresh token that came with a token without life is kept, by one call for each request`() throws {
        try policy(#"{"class":"G"}"#)
        upstream.script = { material in
            .minted(
                Redacted("short"), life: .seconds(1),
                refreshToken: Redacted("next of \(material.refreshToken?.reveal() ?? "none")"))
        }
        guard case .upstream = refusal(decide()) else {
            Issue.record("no failure")
            return
        }
        #expect(upstream.calls == 1)
        #expect(try store.material(id)?.refreshToken?.reveal() == "next of none")
    }

    // MARK: Counts

    @Test func `the second try of a failure finds the day's quota used up`() throws {
        try policy(#"{"quota":1}"#)
        upstream.script = { _ in .refused(UpstreamFailure(.refused, .transient, detail: "busy")) }
        _ = decide()
        #expect(upstream.calls == 1)
        try policy(#"{"quota":3}"#)
        clock.advance(by: .seconds(100))
        _ = decide()
        #expect(upstream.calls == 3)
    }

    @Test func `a pause doubles with failures of one kind and version alone`() throws {
        func fail(_ failureClass: FailureClass) throws -> Duration {
            upstream.script = { _ in .refused(UpstreamFailure(.refused, failureClass, detail: "no")) }
            let begun = clock.now().wall
            _ = decide()
            let retryAt = try #require(try row().retryAt)
            clock.advance(by: retryAt - begun + .seconds(1))
            return retryAt - begun
        }
        for seconds in [1, 2, 4, 8] { #expect(try fail(.transient) == .seconds(seconds)) }
        #expect(try fail(.configuration) == .seconds(60))
        #expect(try fail(.configuration) == .seconds(120))
        try edit()
        #expect(try fail(.configuration) == .seconds(60))
        // A lost lease is another kind, and waits for itself alone.
        upstream.script = { _ in .ambiguous(UpstreamFailure(.unreachable, .transient, detail: "timeout")) }
        for _ in 0..<4 {
            _ = decide()
            clock.advance(by: .seconds(100))
        }
        #expect(try fail(.configuration) == .seconds(60))
    }

    @Test func `a declared gap holds where a mint ends nothing, too`() throws {
        try policy(#"{"class":"E","gap":600}"#)
        _ = decide()
        #expect(answer(decide(.flush))?.token.reveal() == "t2")
        #expect(answer(decide(.flush))?.isSuppressed == true)
        clock.advance(by: .seconds(600))
        #expect(answer(decide(.flush))?.token.reveal() == "t3")
        #expect(upstream.calls == 3)
    }
}
