internal import Locks

/// What waits for a worker.
protocol QueuedWork: Sendable {
    /// Has waited before: it is never turned away.
    var isResumed: Bool { get }
    /// Whose network thread has its connection.
    var lane: Int { get }
}

/// Requests that wait for a worker, new ones up to a limit, those that were parked always; and the workers that wait for one.
final class WorkQueue<Work: QueuedWork>: Sendable {
    private struct State: Sendable {
        var jobs: [Work] = []
        /// Jobs before this one are taken.
        var head = 0
        /// How many of the others are new: a crowd that resumes at once leaves their places alone.
        var new = 0
        /// Idle workers of each lane that no job is on its way to.
        var idle: [Int]
        /// How often the one that waits longest was passed over for one of the asking lane's own.
        var passedOver = 0
    }

    /// How far a lane looks for a job of its own, and how often the one that waits longest is passed over for it: an answer
    /// from another thread has to wake its own.
    private static var reach: Int { 16 }

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

    /// A worker of the job's own lane is asked first.
    func place(_ job: Work) -> Place {
        state.withLock { state in
            if let lane = state.idle[job.lane] > 0 ? job.lane : state.idle.firstIndex(where: { $0 > 0 }) {
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

    /// The next one, of the lane's own if it has not long to wait; nil where there is none, and from then on a worker of the
    /// lane is idle.
    func next(for lane: Int) -> Work? {
        state.withLock { state in
            guard state.head < state.jobs.count else {
                state.idle[lane] += 1
                return nil
            }
            let near = state.jobs[state.head...].prefix(WorkQueue.reach)
            let own = state.passedOver < WorkQueue.reach ? near.firstIndex { $0.lane == lane } : nil
            let job = state.jobs[own ?? state.head]
            if let own, own > state.head {
                state.passedOver += 1
                state.jobs.remove(at: own)
            } else {
                state.passedOver = 0
                state.head += 1
            }
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
    func removeAll(where isOver: (Work) -> Bool) -> [Work] {
        state.withLock { state in
            var over: [Work] = []
            var rest: [Work] = []
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
