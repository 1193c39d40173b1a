internal import Glibc

/// A value behind a POSIX mutex.
///
/// `Synchronization.Mutex` is handed from thread to thread by the kernel (a PI futex), which ThreadSanitizer does not see:
/// under contention it reports a race on whatever such a mutex guards. It knows POSIX mutexes.
@safe package final class Lock<Value: Sendable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline var value: Value

    package init(_ value: Value) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        self.value = value
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Not to be called again by `body`.
    @inlinable package func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        lock()
        defer { unlock() }
        return try body(&value)
    }

    @usableFromInline func lock() {
        unsafe pthread_mutex_lock(mutex)
    }

    @usableFromInline func unlock() {
        unsafe pthread_mutex_unlock(mutex)
    }
}
