internal import Clocks
internal import HTTP
internal import HTTPServer

/// One execution environment: a process, and the Runtime API that it alone speaks to.
///
/// Everything that changes is guarded by the platform's lock.
final class Instance: @unchecked Sendable {
    enum State {
        /// The process runs and has not asked for an event yet.
        case starting
        /// It has asked for an event, and takes those that it is handed.
        case serving
        /// Its process is being ended, or has.
        case gone
    }

    let number: Int
    let startedAt: Moment
    /// Events that it gets at once: as many loops ask for them.
    private let loops: Int

    // Written under the platform's lock alone.
    var state = State.starting
    /// Noted a moment after the process has begun, which may ask for an event before.
    var process: FunctionProcess?
    private var program: ProgramFiles
    var api: Server?
    /// How long the process took to ask for its first event; reported with that event.
    var initDuration: Duration?
    /// What the function said when its init failed.
    var initError: String?
    /// Why the platform ended it.
    var ending: PlatformError?
    /// Asked to end, it is killed at this time.
    var killedAt: Moment?

    /// The questions for an event that wait for one, parked.
    private(set) var questions: [Exchange] = []
    /// What it works on; where there is one loop, an event that was answered stays until the next is asked for.
    private(set) var held: [Invocation] = []
    /// Events whose time is over, on which a loop works all the same.
    private var overdue: Set<String> = []
    /// Since when it has held nothing.
    private(set) var idleSince: Moment
    private var firstAskedAt: Moment?
    /// When a loop was last done with an event.
    private var releasedAt: Moment?
    private var loopsSeen = 0
    /// Its program has changed: it finishes what it holds.
    private(set) var isLeaving = false

    /// Loops that have not asked within this time, of the first or of their last answer, are not there.
    private static let opening = Duration.seconds(1)

    init(number: Int, bootstrap: String, loops: Int, startedAt: Moment) {
        self.number = number
        self.loops = loops
        self.startedAt = startedAt
        idleSince = startedAt
        program = ProgramFiles(bootstrap)
    }

    // MARK: What it can take

    var isStarting: Bool { state == .starting }
    /// It waits for an event and holds none.
    var isIdle: Bool { state == .serving && held.isEmpty && !questions.isEmpty }

    /// An event can be handed to it at once.
    ///
    /// Not before its process is noted: what the platform reports of an invocation is read from that.
    var takesEvents: Bool {
        state == .serving && process != nil && !isLeaving && !questions.isEmpty && held.count + overdue.count < loops
    }

    /// The loops that will soon ask for an event: for their first, or for their next after an answer.
    func coming(_ now: Moment) -> Int {
        func isRecent(_ moment: Moment?) -> Bool { moment.map { $0.elapsed(to: now) < Instance.opening } ?? false }
        switch state {
        case .starting: return loops
        case .serving where isLeaving: return 0
        case .serving:
            let expected = isRecent(firstAskedAt) ? loops : isRecent(releasedAt) ? min(loops, loopsSeen) : 0
            return max(0, expected - known)
        case .gone: return 0
        }
    }

    /// The loops that wait or work.
    private var known: Int { questions.count + held.count + overdue.count }

    // MARK: Its events

    /// A loop asks for an event.
    func ask(_ question: Exchange, now: Moment) {
        if state == .starting {
            initDuration = now.steady - startedAt.steady
            state = .serving
            firstAskedAt = now
        }
        if held.isEmpty { idleSince = now }
        questions.append(question)
        loopsSeen = max(loopsSeen, known)
    }

    /// Hands it the event; answers the question that is answered with it.
    func hold(_ invocation: Invocation) -> Exchange {
        held.append(invocation)
        return questions.removeFirst()
    }

    /// The event is no longer its matter.
    func release(_ invocation: Invocation, now: Moment) {
        held.removeAll { $0 === invocation }
        releasedAt = now
        if held.isEmpty { idleSince = now }
    }

    /// The event's time is over, and the loop that works on it goes on.
    func overrun(_ invocation: Invocation, now: Moment) {
        release(invocation, now: now)
        overdue.insert(invocation.id)
    }

    /// Its loop is done with an event whose time was over; false where there is no such event.
    func isLate(_ id: String, now: Moment) -> Bool {
        guard overdue.remove(id) != nil else { return false }
        releasedAt = now
        return true
    }

    // MARK: Its end

    /// Its program is not what it was started from: it gets no more events.
    func leaveIfOutdated() {
        if let process { program.add(runningAs: process.id) }
        if program.haveChanged { isLeaving = true }
    }

    /// Its program has changed, and it holds nothing.
    var canLeave: Bool { isLeaving && isIdle }
}
