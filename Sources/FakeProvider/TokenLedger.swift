internal import Clocks

/// Every token and ticket that was minted, and until when each works.
struct TokenLedger: Sendable {
    struct Entry: Sendable {
        let endpoint: Endpoint
        let application: String
        let mintedAt: Timestamp
        var diesAt: Timestamp
    }

    private(set) var entries: [String: Entry] = [:]

    mutating func add(_ token: String, _ entry: Entry) {
        if entries.count >= 20_000 {
            // Long dead: nobody asks for it any more.
            entries = entries.filter { $0.value.diesAt + .seconds(3_600) > entry.mintedAt }
        }
        entries[token] = entry
    }

    func alive(_ token: String, now: Timestamp) -> Entry? {
        entries[token].flatMap { $0.diesAt > now ? $0 : nil }
    }

    /// Lets a token die at `instant` if it would have lived longer; false for a token nobody minted.
    @discardableResult
    mutating func end(_ token: String, at instant: Timestamp) -> Bool {
        guard let entry = entries[token] else { return false }
        entries[token]?.diesAt = min(entry.diesAt, instant)
        return true
    }
}

/// The tokens of one application at one endpoint where a mint kills: the newest two live.
struct Rotation: Sendable {
    private(set) var current: String?
    private var previous: String?

    /// - Parameter overlap: how long the token before the newest goes on working.
    mutating func replace(with token: String, overlap: Duration, in ledger: inout TokenLedger, now: Timestamp) {
        if let previous { ledger.end(previous, at: now) }
        if let current { ledger.end(current, at: now + overlap) }
        previous = current
        current = token
    }
}
