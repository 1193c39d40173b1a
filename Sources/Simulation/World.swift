internal import Clocks
internal import FakeProvider
internal import TestKit
internal import Tokens

/// What can go wrong, or be asked for; a run that never met one of them has proven less than it says.
package enum Event: String, CaseIterable, Sendable {
    case kill, freeze, freezeBeforeSending, freezeBeforeStamp, cacheFreeze, clockJump
    case databaseAway, answerLost, statementLate
    case connectionRefused, providerRefusal, providerBusy, requestLost, answerAfterMintLost, answerUnusable, answerSlow
    case processedLate, refreshTokenUsed
    case edit, discard, flush, report, minimumLife, sweep, mark, lostLease, suppressed, spent, stale, refusal
    case midnight, crowded, sameToken, secondTry, lookRefused, sweptRefresh
}

extension Event {
    /// What may cost a call whose token nobody gets.
    static let faults: [Event] = [
        .kill, .freeze, .freezeBeforeSending, .freezeBeforeStamp, .clockJump, .databaseAway, .answerLost,
        .statementLate, .providerRefusal, .providerBusy, .requestLost, .answerAfterMintLost, .answerUnusable,
        .answerSlow, .processedLate, .mark,
    ]
}

/// One virtual world: its time, what will happen, and everything that was found out.
final class World {
    let scenario: Scenario
    let mutation: Mutation?
    var random: Random
    /// The database's clock, and the truth.
    private(set) var now = Timestamp(milliseconds: 1_700_000_000_000)
    private let start: Timestamp
    private var queue = EventQueue()
    private var tasks: [ObjectIdentifier: Task] = [:]

    let bounds: Bounds
    var provider: ClassRules
    /// The upstream call that minted each token.
    var mints: [UpstreamCall] = []
    /// When holders wrote down that a call of theirs came late.
    var marks: [Timestamp] = []
    /// Calls that the provider acted on.
    var calls = 0
    /// When a worker last learnt that its database is away.
    var databaseFailedAt = Timestamp(milliseconds: 0)
    /// Refreshes of a token that was dead when they began.
    var deadRefreshes = 0
    var counts: [Int]
    private(set) var violation: String?
    private(set) var steps = 0
    /// The history in words; nil where nobody reads it.
    var history: [String]?
    let databaseClock: WorldClock

    init(seed: UInt64, mutation: Mutation?, keepsHistory: Bool) {
        scenario = Scenario(seed: seed, mutation: mutation)
        self.mutation = mutation
        random = Random(seed: seed)
        bounds = Bounds(scenario.policy)
        provider = ClassRules(
            scenario.kind, life: scenario.life, overlap: scenario.overlap, window: scenario.window)
        counts = [Int](repeating: 0, count: Event.allCases.count)
        history = keepsHistory ? [] : nil
        start = now
        databaseClock = WorldClock()
        databaseClock.set(now)
    }

    // MARK: Time

    func at(_ time: Timestamp, _ action: @escaping () -> Void) {
        queue.insert(max(time, now), action)
    }

    func after(_ delay: Duration, _ action: @escaping () -> Void) {
        at(now + delay, action)
    }

    /// Runs until the scenario's length is over or a rule is broken.
    func run() {
        let end = start + scenario.length
        while violation == nil, let next = queue.next, next <= end {
            step(to: next)
        }
        // What still blocks is woken as a ghost, so that nothing stays on its stack.
        for task in Array(tasks.values) {
            while tasks[ObjectIdentifier(task)] != nil { task.endAsGhost() }
        }
        // What was planned refers to this world, and would keep it.
        queue = EventQueue()
    }

    private func step(to time: Timestamp) {
        now = time
        databaseClock.set(time)
        steps += 1
        queue.removeFirst()()
    }

    func began(_ task: Task) {
        tasks[ObjectIdentifier(task)] = task
    }

    func ended(_ task: Task) {
        tasks[ObjectIdentifier(task)] = nil
    }

    // MARK: Findings

    func count(_ event: Event) {
        counts[Event.allCases.firstIndex(of: event) ?? 0] += 1
    }

    func count(of events: [Event]) -> Int {
        zip(Event.allCases, counts).reduce(0) { events.contains($1.0) ? $0 + $1.1 : $0 }
    }

    func note(_ text: @autoclosure () -> String) {
        if history != nil { history?.append("\((now - start).wholeMilliseconds) \(text())") }
    }

    func violate(_ rule: String) {
        note("BROKEN \(rule)")
        if violation == nil { violation = rule }
    }
}

/// The world's time as a clock; one reading for every statement of the database.
final class WorldClock: Clock, @unchecked Sendable {
    // Simulated instances share one thread.
    private var moment = Moment(wall: Timestamp(milliseconds: 0), steady: .zero)

    func set(_ time: Timestamp) {
        moment = Moment(wall: time, steady: .milliseconds(time.milliseconds))
    }

    func now() -> Moment { moment }
}

/// What happens next; what was planned first comes first among equals.
struct EventQueue {
    private struct Entry {
        let time: Timestamp
        let order: UInt64
        let action: () -> Void

        func isBefore(_ other: Entry) -> Bool {
            (time.milliseconds, order) < (other.time.milliseconds, other.order)
        }
    }

    private var heap: [Entry] = []
    private var order: UInt64 = 0

    var next: Timestamp? { heap.first?.time }

    mutating func insert(_ time: Timestamp, _ action: @escaping () -> Void) {
        order += 1
        heap.append(Entry(time: time, order: order, action: action))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if !heap[child].isBefore(heap[parent]) { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() -> () -> Void {
        let first = heap[0].action
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2]
                where child < heap.count && heap[child].isBefore(heap[least]) { least = child }
                if least == parent { break }
                heap.swapAt(parent, least)
                parent = least
            }
        }
        return first
    }
}
