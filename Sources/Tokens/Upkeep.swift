package import Clocks

/// A token that the schedule has to look at.
package struct DueToken: Sendable, Equatable {
    package var id: SecretID
    package var dueAt: Timestamp
    package var usedAt: Timestamp?
    /// Nil where what the realm has stored cannot be read.
    package var policy: Policy?
    /// The last call for it found no answer: a transient failure, or a lease that ran out.
    package var hadNoAnswer: Bool

    package init(id: SecretID, dueAt: Timestamp, usedAt: Timestamp?, policy: Policy?, hadNoAnswer: Bool) {
        self.id = id
        self.dueAt = dueAt
        self.usedAt = usedAt
        self.policy = policy
        self.hadNoAnswer = hadNoAnswer
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
    /// Moves whatever is due of a realm.
    func postponeAll(of realm: String, due now: Timestamp, to next: Timestamp) throws(StoreError)
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
    /// What is read again with every batch, since it stays due.
    private static let longestQueue = 200
    /// What the failures of one realm may take of a run, so that a provider that hangs leaves the others their time.
    private static let patience = Duration.seconds(1)
    /// With less time than that no refresh is begun: a shorter call than the realm's timeout is worth it, a cut one is not.
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
        var lost: [String: Duration] = [:]
        // Realms whose provider gave no answer last time: their tokens wait until everybody else is done.
        var silent: Set<String> = []
        var waiting: [DueToken] = []
        while true {
            let (now, tokens) = try store.due(limit: Upkeep.batch + waiting.count)
            let fresh = tokens.filter { seen.insert($0.id).inserted }
            for token in fresh where token.hadNoAnswer { silent.insert(token.id.realm) }
            let isLast = fresh.isEmpty
            for token in isLast ? waiting : fresh {
                let begun = clock.now()
                if let deadline, begun.timeLeft(until: deadline) < Upkeep.reserve {
                    report.isCutShort = true
                    return report
                }
                let mustWait = !isLast && silent.contains(token.id.realm)
                if mustWait, waiting.count < Upkeep.longestQueue {
                    waiting.append(token)
                    continue
                }
                // Behind the one that had no answer, which then tells of them.
                let next = now + Policy.tick + .milliseconds(1)
                if mustWait || lost[token.id.realm, default: .zero] >= Upkeep.patience {
                    report.passed += 1
                    try store.postpone(token.id, seen: token.dueAt, to: next)
                    continue
                }
                if try !look(at: token, now: now, requestID, deadline: deadline, &report) {
                    lost[token.id.realm, default: .zero] += begun.elapsed(to: clock.now())
                    // At once, so that they keep nobody's place when the time is over.
                    if lost[token.id.realm, default: .zero] >= Upkeep.patience {
                        try store.postponeAll(of: token.id.realm, due: now, to: next)
                    }
                }
            }
            if isLast { return report }
        }
    }

    /// False where nothing new was had.
    private func look(
        at token: DueToken, now: Timestamp, _ requestID: String?, deadline: Moment?, _ report: inout Report
    ) throws(StoreError) -> Bool {
        // One realm that cannot be read must not stop the others.
        guard let policy = token.policy else {
            report.failed += 1
            try store.postpone(token.id, seen: token.dueAt, to: now + .seconds(3_600))
            return false
        }
        guard policy.isScheduled else {
            report.passed += 1
            try store.postpone(token.id, seen: token.dueAt, to: nil)
            return false
        }
        guard let usedAt = token.usedAt, now - usedAt < policy.idleAfter else {
            report.lapsed += 1
            try store.postpone(token.id, seen: token.dueAt, to: nil)
            return false
        }
        return try refresh(token, now: now, requestID, deadline: deadline, &report)
    }

    /// False where nothing new was had.
    private func refresh(
        _ token: DueToken, now: Timestamp, _ requestID: String?, deadline: Moment?, _ report: inout Report
    ) throws(StoreError) -> Bool {
        switch broker.decide(token.id, wish: .upkeep, requestID: requestID, deadline: deadline) {
        case .answer(let answer) where answer.source == .upstream:
            report.refreshed += 1
            return true
        case .answer(let answer) where answer.isStale: report.failed += 1
        case .refuse(.upstream), .refuse(.storeUnavailable), .refuse(.storeBroken): report.failed += 1
        case .answer, .wait, .refuse: report.passed += 1
        }
        // A commit or a release has moved it already, and then this changes nothing.
        try store.postpone(token.id, seen: token.dueAt, to: now + Policy.tick)
        return false
    }
}
