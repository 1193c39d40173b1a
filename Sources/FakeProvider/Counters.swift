/// Calls and mints, by endpoint and application.
struct Counters: Sendable {
    struct Key: Hashable, Sendable {
        let endpoint: Endpoint
        /// Empty where the call names none.
        let application: String
    }

    struct Count: Sendable {
        var calls = 0
        var minted = 0
    }

    private(set) var counts: [Key: Count] = [:]

    mutating func called(_ endpoint: Endpoint, _ application: String) {
        counts[Key(endpoint: endpoint, application: application), default: Count()].calls += 1
    }

    mutating func minted(_ endpoint: Endpoint, _ application: String) {
        counts[Key(endpoint: endpoint, application: application), default: Count()].minted += 1
    }

    /// In the order of endpoints and ids.
    var sorted: [(key: Key, value: Count)] {
        counts.sorted {
            ($0.key.endpoint.rawValue, $0.key.application) < ($1.key.endpoint.rawValue, $1.key.application)
        }
    }
}
