package import Clocks

/// A token that the schedule has to look at.
package struct DueToken: Sendable, Equatable {
    package var id: SecretID
    package var dueAt: Timestamp
    package var usedAt: Timestamp?
    /// Nil where what the realm has stored cannot be read.
    package var policy: Policy?

    package init(id: SecretID, dueAt: Timestamp, usedAt: Timestamp?, policy: Policy?) {
        self.id = id
        self.dueAt = dueAt
        self.usedAt = usedAt
        self.policy = policy
    }
}

/// What the schedule reads and writes.
package protocol UpkeepStore: AnyObject {
    /// The tokens that are due, the most urgent first, and the database's clock.
    ///
    /// The cost follows how many are due, not how many are stored.
    func due(limit: Int) throws(StoreError) -> (now: Timestamp, tokens: [DueToken])
    /// Moves the next look at a token, unless somebody has moved it since it was read; nil for never again.
    func postpone(_ id: SecretID, seen: Timestamp, to next: Timestamp?) throws(StoreError)
}

/// Refreshes what turns soft before a caller meets it: what the schedule runs.
///
/// Any number of instances may run it at once: who refreshes what is decided by the lease.
package final class Upkeep {
    /// What one run did.
    package struct Report: Sendable, Equatable {
        package var refreshed = 0
        package var failed = 0
        /// Nobody has asked for it for so long that it is left to die.
        package var lapsed = 0
        /// Held back, refreshed by somebody else, or not to be refreshed by the schedule any more.
        package var passed = 0
        /// The time was over before the list was.
        package var isCutShort = false
    }

    private let store: any UpkeepStore
    private let broker: Broker
    private let clock: any Clock

    private static let batch = 50
    /// What a call may take beside the provider's own time.
    private static let reserve = Duration.milliseconds(1_500)

    package init(store: any UpkeepStore, broker: Broker, clock: any Clock) {
        self.store = store
        self.broker = broker
        self.clock = clock
    }

    /// - Parameter requestID: of the event that asks for it, for the audit.
    package func run(requestID: String? = nil, deadline: Moment?) throws(StoreError) -> Report {
        var report = Report()
        var seen: Set<SecretID> = []
        while true {
            let (now, tokens) = try store.due(limit: Upkeep.batch)
            let fresh = tokens.filter { seen.insert($0.id).inserted }
            if fresh.isEmpty { return report }
            for token in fresh {
                // One realm that cannot be read must not stop the others.
                guard let policy = token.policy else {
                    report.failed += 1
                    try store.postpone(token.id, seen: token.dueAt, to: now + .seconds(3_600))
                    continue
                }
                if let deadline, clock.now().timeLeft(until: deadline) < policy.timeout + Upkeep.reserve {
                    report.isCutShort = true
                    return report
                }
                try look(at: token, policy, now: now, requestID, deadline: deadline, &report)
            }
        }
    }

    private func look(
        at token: DueToken, _ policy: Policy, now: Timestamp, _ requestID: String?, deadline: Moment?,
        _ report: inout Report
    ) throws(StoreError) {
        guard policy.isScheduled else {
            report.passed += 1
            return try store.postpone(token.id, seen: token.dueAt, to: nil)
        }
        guard let usedAt = token.usedAt, now - usedAt < policy.idleAfter else {
            report.lapsed += 1
            return try store.postpone(token.id, seen: token.dueAt, to: nil)
        }
        switch broker.decide(token.id, wish: .upkeep, requestID: requestID, deadline: deadline) {
        case .answer(let answer) where answer.source == .upstream:
            report.refreshed += 1
            return
        case .answer(let answer) where answer.isStale: report.failed += 1
        case .refuse(.upstream), .refuse(.storeUnavailable), .refuse(.storeBroken): report.failed += 1
        case .answer, .wait, .refuse: report.passed += 1
        }
        // A commit or a release has moved it already, and then this changes nothing.
        try store.postpone(token.id, seen: token.dueAt, to: now + Policy.tick)
    }
}
