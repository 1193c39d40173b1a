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
        /// By lane, whoever came first is first.
        var jobs: [Line]
        /// How many of them are new: a crowd that resumes at once leaves their places alone.
        var new = 0
        /// Idle workers of each lane that no job is on its way to.
        var idle: [Int]
        /// Of the next job.
        var ticket = 0
    }

    /// What waits of one lane.
    private struct Line: Sendable {
        private var jobs: [(ticket: Int, work: Work)] = []
        /// Jobs before this one are taken.
        private var head = 0

        var isEmpty: Bool { head == jobs.count }
        /// Of the one that waits longest.
        var ticket: Int? { isEmpty ? nil : jobs[head].ticket }

        mutating func append(_ work: Work, _ ticket: Int) { jobs.append((ticket, work)) }

        mutating func removeFirst() -> Work {
            let work = jobs[head].work
            head += 1
            if head >= 256 || isEmpty {
                jobs.removeFirst(head)
                head = 0
            }
            return work
        }

        mutating func removeAll(where isOver: (Work) -> Bool) -> [Work] {
            // Each is asked once: the time goes on meanwhile.
            let asked = jobs[head...].map { (job: $0, isOver: isOver($0.work)) }
            jobs = asked.filter { !$0.isOver }.map(\.job)
            head = 0
            return asked.filter(\.isOver).map(\.job.work)
        }

        var new: Int { jobs[head...].count { !$0.work.isResumed } }
    }

    /// How many that came later a lane takes of its own before another's: an answer from another thread has to wake its own.
    private static var reach: Int { 64 }

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
        state = Lock(State(jobs: workers.map { _ in Line() }, idle: workers))
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
            state.jobs[job.lane].append(job, state.ticket)
            state.ticket += 1
            return .queue
        }
    }

    /// The next one, of the lane's own unless another has waited much longer; nil where there is none, and from then on a worker of
    /// the lane is idle.
    func next(for lane: Int) -> Work? {
        state.withLock { state in
            var from = lane
            // What its own lane has would be taken at the latest now.
            var ticket = state.jobs[lane].ticket.map { $0 - WorkQueue.reach } ?? .max
            for (other, line) in state.jobs.enumerated() {
                if let waiting = line.ticket, other != lane, waiting < ticket { (from, ticket) = (other, waiting) }
            }
            if state.jobs[from].isEmpty {
                state.idle[lane] += 1
                return nil
            }
            let job = state.jobs[from].removeFirst()
            if !job.isResumed { state.new -= 1 }
            return job
        }
    }

    var isEmpty: Bool { state.withLock { $0.jobs.allSatisfy(\.isEmpty) } }

    /// Takes out those that no worker came for in time.
    func removeAll(where isOver: (Work) -> Bool) -> [Work] {
        state.withLock { state in
            let over = state.jobs.indices.flatMap { state.jobs[$0].removeAll(where: isOver) }
            state.new = state.jobs.reduce(0) { $0 + $1.new }
            return over
        }
    }
}
