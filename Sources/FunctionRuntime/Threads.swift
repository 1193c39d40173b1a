internal import Glibc
internal import Synchronization

/// Starts a detached thread; false where the system has none to give.
func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    let box = unsafe Unmanaged.passRetained(ThreadBody(run: body))
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let result = unsafe pthread_create(
        &thread, &attributes,
        { context in
            if let context = unsafe context {
                unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
            }
            return nil
        }, box.toOpaque())
    if result != 0 { unsafe box.release() }
    return result == 0
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

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
