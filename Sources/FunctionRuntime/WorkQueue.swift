internal import CSystem
internal import Clocks
internal import Glibc
internal import HTTP
internal import HTTPServer
internal import Locks

/// A request on its way through a serving function.
final class Job: Sendable {
    let exchange: Exchange
    let request: Request
    let start: Moment
    let limit: TimeLimit
    let isCold: Bool
    /// What the handler handed over when it said to wait; nil at first.
    let state: (any Sendable)?

    init(
        _ exchange: Exchange, _ request: Request, start: Moment, limit: TimeLimit, isCold: Bool,
        state: (any Sendable)? = nil
    ) {
        self.exchange = exchange
        self.request = request
        self.start = start
        self.limit = limit
        self.isCold = isCold
        self.state = state
    }

    func resumed(with state: any Sendable) -> Job {
        Job(exchange, request, start: start, limit: limit, isCold: isCold, state: state)
    }
}

/// Requests that wait for a worker: new ones up to a limit, those that were parked always.
@safe final class WorkQueue: Sendable {
    private struct State: Sendable {
        var jobs: [Job] = []
        /// Jobs before this one are taken.
        var head = 0

        var count: Int { jobs.count - head }
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
            if job.state == nil, state.count >= limit { return false }
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
                if state.head >= 256 || state.head == state.jobs.count {
                    state.jobs.removeFirst(state.head)
                    state.head = 0
                }
                return job
            }
            if let job { return job }
        }
    }
}

/// Calls what has to happen later, on one thread: whoever is parked holds no other.
@safe final class Timers: Sendable {
    private struct Entry: Sendable {
        let at: Duration
        let action: @Sendable () -> Void
    }

    /// Sorted, the last one first to come.
    private let entries = Lock<[Entry]>([])
    private let clock: any Clock
    private nonisolated(unsafe) let changed: UnsafeMutablePointer<sem_t>

    init(clock: any Clock) {
        self.clock = clock
        unsafe changed = .allocate(capacity: 1)
        unsafe sem_init(changed, 0, 0)
    }

    func after(_ delay: Duration, _ action: @escaping @Sendable () -> Void) {
        let at = clock.now().steady + delay
        let isNext = entries.withLock { entries in
            let index = entries.lastIndex { $0.at > at }.map { $0 + 1 } ?? 0
            entries.insert(Entry(at: at, action: action), at: index)
            return index == entries.count - 1
        }
        if isNext { unsafe sem_post(changed) }
    }

    /// Never returns.
    func run() {
        while true {
            let now = clock.now().steady
            let (due, next) = entries.withLock { entries -> ([Entry], Duration?) in
                var due: [Entry] = []
                while let last = entries.last, last.at <= now { due.append(entries.removeLast()) }
                return (due, entries.last?.at)
            }
            for entry in due { entry.action() }
            if !due.isEmpty { continue }
            wait(next.map { $0 - now })
        }
    }

    private func wait(_ time: Duration?) {
        guard let time else {
            _ = unsafe sem_wait(changed)
            return
        }
        var until = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &until)
        let (seconds, attoseconds) = time.components
        let nanoseconds = until.tv_nsec + Int(attoseconds / 1_000_000_000)
        until.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
        until.tv_nsec = nanoseconds % 1_000_000_000
        _ = unsafe sem_timedwait(changed, &until)
    }
}
