internal import Glibc
internal import Synchronization

/// Waits for the first of several threads that has something to say.
@safe final class FirstEnd: Sendable {
    private let code = Mutex<Int32?>(nil)
    /// One address for the life of the process: `sem_t` must not move.
    private nonisolated(unsafe) let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        unsafe semaphore = .allocate(capacity: 1)
        unsafe sem_init(semaphore, 0, 0)
    }

    /// The first code counts.
    func signal(_ code: Int32) {
        self.code.withLock { $0 = $0 ?? code }
        unsafe sem_post(semaphore)
    }

    func wait() -> Int32 {
        while unsafe sem_wait(semaphore) != 0 {}
        return code.withLock { $0 ?? 1 }
    }
}
