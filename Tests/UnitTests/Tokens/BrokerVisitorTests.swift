import Clocks
import TestKit
import Testing
import Tokens

/// Who asks shows in the reading that answers: no statement more, on any turn.
@Suite final class BrokerVisitorTests: BrokerFixture {
    /// Admits whoever's key is there, and counts how often it was asked.
    private final class Guest: Visitor {
        let keyID: String?
        private(set) var asked = 0

        init(_ keyID: String?) {
            self.keyID = keyID
        }

        func admit(_ reading: KeyReading?) throws(Denial) -> Caller {
            asked += 1
            guard let grant = reading?.grant else { throw .unknownKey }
            return Caller(id: grant.id, role: grant.role, scope: grant.scope)
        }
    }

    private static let keyID = "0123456789abcdef"

    private func makeKey(_ role: Role = .reader, scope: Scope = .everything) throws {
        let grant = KeyGrant(id: Self.keyID, digest: [UInt8](repeating: 1, count: 32), role: role, scope: scope)
        _ = try store.create(grant, comment: "", by: "bootstrap")
    }

    private func ask(
        _ id: SecretID? = nil, _ wish: Wish = .token(minimumLife: nil), as guest: Guest = Guest(keyID),
        resuming patience: Patience? = nil
    ) -> Decision {
        broker.decide(id ?? self.id, wish: wish, visitor: guest, deadline: nil, resuming: patience)
    }

    @Test func `a hit, a stranger's secret, an absent one and an unknown key are one statement each`() throws {
        try makeKey(scope: Scope(realms: ["wx"], secrets: []))
        _ = decide()
        _ = try store.write("gh", RealmChange(config: .set("{}")))
        let other = SecretID(realm: "gh", key: "app")
        _ = try store.write(other, [:])
        let absent = SecretID(realm: "none", key: "app")
        for (name, expected) in [(id, nil), (other, Refusal.unknownRealm), (absent, .unknownRealm)] {
            let before = counting.statements.count
            #expect(refusal(ask(name)) == expected)
            #expect(Array(counting.statements[before...]) == ["read"])
        }
        for name in [id, other, absent] {
            let before = counting.statements.count
            #expect(refusal(ask(name, as: Guest("fedcba9876543210"))) == .denied(.unknownKey))
            #expect(Array(counting.statements[before...]) == ["read"])
        }
        #expect(upstream.calls == 1)
    }

    @Test func `whoever is not let in changes nothing, whatever is wished`() throws {
        try makeKey(scope: Scope(realms: ["gh"], secrets: []))
        _ = decide()
        let row = try row()
        for wish in [Wish.flush, .replacement(of: "t1"), .token(minimumLife: .seconds(7_199))] {
            #expect(refusal(ask(nil, wish)) == .unknownRealm)
            #expect(refusal(ask(nil, wish, as: Guest("fedcba9876543210"))) == .denied(.unknownKey))
        }
        #expect(try self.row() == row)
        #expect(upstream.calls == 1)
    }

    @Test func `who waits is looked at again, and a key that is revoked meanwhile ends the wait`() throws {
        try makeKey()
        let elsewhere = SecretID(realm: "wx", key: "app")
        var lease = try #require(try leaseForSomebodyElse())
        lease.lease = .seconds(10)
        #expect(try store.take(elsewhere, lease))
        let guest = Guest(Self.keyID)
        guard case .wait(let delay, let patience) = ask(as: guest) else {
            Issue.record("does not wait")
            return
        }
        clock.advance(by: delay)
        guard case .wait(_, let again) = ask(as: guest, resuming: patience) else {
            Issue.record("does not wait any more")
            return
        }
        #expect(guest.asked == 2)
        _ = try store.deleteKey(Self.keyID)
        #expect(refusal(ask(as: guest, resuming: again)) == .denied(.unknownKey))
        #expect(guest.asked == 3)
    }

    private func leaseForSomebodyElse() throws -> LeaseRequest? {
        let row = try row()
        return LeaseRequest(
            fence: row.fence, generation: row.generation, marks: row.marks, doubts: row.doubts, diesAt: row.diesAt,
            fails: row.fails, holder: "other", reason: .dead, lease: .seconds(1), day: 0, isUse: true)
    }

    // MARK: Budget

    @Test(arguments: [(Role.reader, true), (.operator, false), (.administrator, false)])
    func `an operator forces a refresh past the day's budget, a reader does not`(
        role: Role, isSuppressed: Bool
    ) throws {
        try makeKey(role)
        _ = try store.write("wx", RealmChange(policy: .set(#"{"flush_budget":1}"#)))
        _ = ask()
        clock.advance(by: .seconds(200))
        #expect(answer(ask(nil, .flush))?.isSuppressed == false)
        clock.advance(by: .seconds(200))
        #expect(answer(ask(nil, .flush))?.isSuppressed == isSuppressed)
    }

    @Test func `an operator does not pass the gap, nor the provider's quota`() throws {
        try makeKey(.operator)
        _ = try store.write("wx", RealmChange(policy: .set(#"{"flush_budget":1,"overlap":300,"quota":3}"#)))
        _ = ask()
        clock.advance(by: .seconds(200))
        #expect(answer(ask(nil, .flush))?.isSuppressed == false)
        #expect(answer(ask(nil, .flush))?.isSuppressed == true, "within the gap")
        clock.advance(by: .seconds(200))
        #expect(answer(ask(nil, .flush))?.isSuppressed == false, "past the budget")
        clock.advance(by: .seconds(200))
        #expect(answer(ask(nil, .flush))?.isSuppressed == true, "three calls are the quota")
        #expect(upstream.calls == 3)
    }
}
