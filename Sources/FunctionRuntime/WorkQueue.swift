internal import Clocks
internal import HTTP
internal import HTTPServer
internal import Locks

/// A request on its way through a serving function.
final class Job: Sendable {
    let exchange: Exchange
    let request: Request
    let control: PlatformControl
    let start: Moment
    let limit: TimeLimit
    let isCold: Bool
    /// What the handler handed over when it said to wait; nil at first.
    let state: (any Sendable)?

    init(
        _ exchange: Exchange, _ request: Request, _ control: PlatformControl, start: Moment, limit: TimeLimit,
        isCold: Bool, state: (any Sendable)? = nil
    ) {
        self.exchange = exchange
        self.request = request
        self.control = control
        self.start = start
        self.limit = limit
        self.isCold = isCold
        self.state = state
    }

    /// Has waited before: it is never turned away.
    var isResumed: Bool { state != nil }

    func resumed(with state: any Sendable) -> Job {
        Job(exchange, request, control, start: start, limit: limit, isCold: isCold, state: state)
    }
}

/// Requests that wait for a worker, new ones up to a limit, those that were parked always; and the workers that wait for one.
final class WorkQueue: Sendable {
    private struct State: Sendable {
        var jobs: [Job] = []
        /// Jobs before this one are taken.
        var head = 0
        /// How many of the others are new: a crowd that resumes at once leaves their places alone.
        var new = 0
        /// Idle workers of each lane that no job is on its way to.
        var idle: [Int]
    }

    /// What becomes of a job.
    enum Place: Equatable {
        /// A worker of this lane waits for it.
        case lane(Int)
        case queue
        /// The queue is full.
        case none
    }

    private let limit: Int
    private let state: Lock<State>

    /// - Parameter workers: how many each lane has, all idle.
    init(limit: Int, workers: [Int]) {
        self.limit = limit
        state = Lock(State(idle: workers))
    }

    /// - Parameter lane: whose worker is asked first: that of the thread that has the job.
    func place(_ job: Job, near lane: Int?) -> Place {
        state.withLock { state in
            if let lane = lane.flatMap({ state.idle[$0] > 0 ? $0 : nil }) ?? state.idle.firstIndex(where: { $0 > 0 }) {
                state.idle[lane] -= 1
                return .lane(lane)
            }
            if !job.isResumed {
                if state.new >= limit { return .none }
                state.new += 1
            }
            state.jobs.append(job)
            return .queue
        }
    }

    /// The next one; nil where there is none, and from then on a worker of the lane is idle.
    func next(for lane: Int) -> Job? {
        state.withLock { state in
            guard state.head < state.jobs.count else {
                state.idle[lane] += 1
                return nil
            }
            let job = state.jobs[state.head]
            state.head += 1
            if !job.isResumed { state.new -= 1 }
            if state.head >= 256 || state.head == state.jobs.count {
                state.jobs.removeFirst(state.head)
                state.head = 0
            }
            return job
        }
    }

    var isEmpty: Bool { state.withLock { $0.head == $0.jobs.count } }

    /// Takes out those that no worker came for in time.
    func removeAll(where isOver: (Job) -> Bool) -> [Job] {
        state.withLock { state in
            var over: [Job] = []
            var rest: [Job] = []
            // Each is asked once: the time goes on meanwhile.
            for job in state.jobs[state.head...] {
                if isOver(job) { over.append(job) } else { rest.append(job) }
            }
            state.jobs = rest
            state.head = 0
            state.new = rest.count { !$0.isResumed }
            return over
        }
    }
}
