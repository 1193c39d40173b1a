internal import Glibc
internal import Locks

/// Threads for calls that block: as many as are needed at once, which their callers bound; one that is idle is used again.
@safe final class BlockingThreads: Sendable {
    static let shared = BlockingThreads()

    private struct State {
        var calls: [@Sendable () -> Void] = []
        /// Threads that nobody has a call for yet.
        var idle = 0
    }

    private let state = Lock(State())
    /// One address for the life of the process: `sem_t` must not move.
    private nonisolated(unsafe) let available: UnsafeMutablePointer<sem_t>

    private init() {
        unsafe available = .allocate(capacity: 1)
        unsafe sem_init(available, 0, 0)
    }

    /// False where a thread is needed and the system has none to give.
    func run(_ call: @escaping @Sendable () -> Void) -> Bool {
        let isTaken = state.withLock { state in
            guard state.idle > 0 else { return false }
            state.idle -= 1
            state.calls.append(call)
            return true
        }
        if isTaken {
            unsafe sem_post(available)
            return true
        }
        return Thread.startDetached { [self] in
            call()
            while true { next()() }
        }
    }

    private func next() -> @Sendable () -> Void {
        state.withLock { $0.idle += 1 }
        while true {
            while unsafe sem_wait(available) != 0 {}
            if let call = state.withLock({ $0.calls.popLast() }) { return call }
        }
    }
}
