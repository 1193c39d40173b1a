internal import Glibc

/// A counting semaphore.
@safe final class Semaphore: Sendable {
    private nonisolated(unsafe) let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        unsafe semaphore = .allocate(capacity: 1)
        unsafe sem_init(semaphore, 0, 0)
    }

    func signal() {
        unsafe sem_post(semaphore)
    }

    /// False when the time is over.
    func wait(atMost time: Duration) -> Bool {
        var until = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &until)
        until.tv_sec += Int(time.components.seconds)
        return unsafe sem_timedwait(semaphore, &until) == 0
    }
}
