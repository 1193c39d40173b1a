internal import Clocks

/// Calls, mints and uses of dead tokens, by endpoint and application.
struct Counters: Sendable {
    struct Key: Hashable, Sendable {
        let endpoint: Endpoint
        /// Empty where the call names none.
        let application: String
    }

    struct Count: Sendable {
        var calls = 0
        var minted = 0
        /// Calls that presented a token that works no more.
        var dead = 0
    }

    /// A call that presented a token that works no more.
    struct DeadUse: Sendable {
        let application: String
        let usedAt: Timestamp
        let diedAt: Timestamp
    }

    private(set) var counts: [Key: Count] = [:]
    /// The last ones.
    private(set) var deadUses: [DeadUse] = []
    private static let longestList = 1_000

    mutating func called(_ endpoint: Endpoint, _ application: String) {
        counts[Key(endpoint: endpoint, application: application), default: Count()].calls += 1
    }

    mutating func minted(_ endpoint: Endpoint, _ application: String) {
        counts[Key(endpoint: endpoint, application: application), default: Count()].minted += 1
    }

    mutating func used(_ endpoint: Endpoint, dead entry: TokenLedger.Entry, at now: Timestamp) {
        counts[Key(endpoint: endpoint, application: entry.application), default: Count()].dead += 1
        if deadUses.count == Counters.longestList { deadUses.removeFirst() }
        deadUses.append(DeadUse(application: entry.application, usedAt: now, diedAt: entry.diesAt))
    }

    /// In the order of endpoints and ids.
    var sorted: [(key: Key, value: Count)] {
        counts.sorted {
            ($0.key.endpoint.rawValue, $0.key.application) < ($1.key.endpoint.rawValue, $1.key.application)
        }
    }
}
