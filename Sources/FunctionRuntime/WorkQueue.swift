internal import Clocks
internal import Glibc
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

/// Requests that wait for a worker: new ones up to a limit, those that were parked always.
@safe final class WorkQueue: Sendable {
    private struct State: Sendable {
        var jobs: [Job] = []
        /// Jobs before this one are taken.
        var head = 0
        /// How many of the others are new: a crowd that resumes at once leaves their places alone.
        var new = 0
    }

    private let limit: Int
    private let state = Lock(State())
    /// One address for the life of the process: `sem_t` must not move.
    private nonisolated(unsafe) let available: UnsafeMutablePointer<sem_t>

    init(limit: Int) {
        self.limit = limit
        unsafe available = .allocate(capacity: 1)
        unsafe sem_init(available, 0, 0)
    }

    /// False when the queue is full.
    func add(_ job: Job) -> Bool {
        let isTaken = state.withLock { state in
            if !job.isResumed {
                if state.new >= limit { return false }
                state.new += 1
            }
            state.jobs.append(job)
            return true
        }
        if isTaken { unsafe sem_post(available) }
        return isTaken
    }

    /// The next one; blocks until there is one.
    func next() -> Job {
        while true {
            while unsafe sem_wait(available) != 0 {}
            let job = state.withLock { state -> Job? in
                guard state.head < state.jobs.count else { return nil }
                let job = state.jobs[state.head]
                state.head += 1
                if !job.isResumed { state.new -= 1 }
                if state.head >= 256 || state.head == state.jobs.count {
                    state.jobs.removeFirst(state.head)
                    state.head = 0
                }
                return job
            }
            if let job { return job }
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
