import Clocks
import Log
import TestKit
import Testing
import Tokens

/// One secret in a store in memory, a provider that a test scripts, and a broker between them.
///
/// The provider mints `t1`, `t2` and so on unless it is told otherwise.
class BrokerFixture {
    let clock = ManualClock()
    let store: InMemoryStore
    /// The same store, its statements noted: the broker's own way to it.
    let counting: CountingStore
    let upstream: ScriptedUpstream
    let broker: Broker
    let id = SecretID(realm: "wx", key: "app")

    private final class Mints {
        var count = 0
    }

    init() throws {
        store = InMemoryStore(clock: clock)
        counting = CountingStore(store)
        let mints = Mints()
        upstream = ScriptedUpstream { _ in
            mints.count += 1
            return .minted(Redacted("t\(mints.count)"), life: .seconds(7_200))
        }
        broker = Broker(store: counting, upstream: upstream, clock: clock)
        _ = try store.write("wx", RealmChange(config: .set("{}")))
        _ = try store.write(id, ["key_1": .set(Redacted("a"))])
    }

    func decide(
        _ wish: Wish = .token(minimumLife: nil), by broker: Broker? = nil, within limit: Duration? = nil
    ) -> Decision {
        (broker ?? self.broker).decide(
            id, wish: wish, arrival: clock.now(), deadline: limit.map { clock.now() + $0 })
    }

    func answer(_ decision: Decision) -> Answer? {
        if case .answer(let answer) = decision { answer } else { nil }
    }

    func refusal(_ decision: Decision) -> Refusal? {
        if case .refuse(let refusal) = decision { refusal } else { nil }
    }

    func row() throws -> TokenRow {
        guard case .found(let snapshot) = try store.read(id, clock: clock) else { throw StoreError.broken("no row") }
        return snapshot.row
    }
}
