/// A way in which a provider can fail.
package enum Fault: String, Sendable, CaseIterable {
    case delay
    case reset
    case resetAfterMint = "reset-after-mint"
    case status500 = "status-500"
    case brokenJSON = "broken-json"
    case empty
    case overLong = "over-long"
    case truncated
    case redirect
    case hang

    /// Whether the endpoint does its work before it fails, so that a token is minted and may kill an older one.
    package var mints: Bool {
        switch self {
        case .delay, .resetAfterMint, .brokenJSON, .empty, .overLong, .truncated: true
        case .reset, .status500, .redirect, .hang: false
        }
    }
}

/// The faults that are due, in the order in which they were asked for.
struct FaultPlan: Sendable {
    struct Entry: Sendable {
        let endpoint: Endpoint
        let fault: Fault
        let delay: Duration
        var left: Int
    }

    private(set) var entries: [Entry] = []
    private(set) var served: [Endpoint: [Fault: Int]] = [:]

    mutating func add(_ entry: Entry) {
        entries.append(entry)
    }

    mutating func clear() {
        entries = []
    }

    /// The next fault for a call of that endpoint, which is thereby used up.
    mutating func next(_ endpoint: Endpoint) -> Entry? {
        guard let index = entries.firstIndex(where: { $0.endpoint == endpoint }) else { return nil }
        let entry = entries[index]
        entries[index].left -= 1
        if entries[index].left <= 0 { entries.remove(at: index) }
        served[endpoint, default: [:]][entry.fault, default: 0] += 1
        return entry
    }
}
