internal import CCoroutine

/// A piece of blocking code that the simulator suspends and resumes.
@safe final class Coroutine {
    private var handle: OpaquePointer?
    private let body: () -> Void

    init(_ body: @escaping () -> Void) {
        self.body = body
        unsafe handle = ccoroutine_create(enterCoroutine, Unmanaged.passUnretained(self).toOpaque())
        if unsafe handle == nil { fatalError("no memory for a coroutine") }
    }

    var hasEnded: Bool { unsafe handle.map { unsafe ccoroutine_has_ended($0) } ?? true }

    /// Runs it until it suspends or ends.
    func resume() {
        guard let handle = unsafe handle else { return }
        unsafe ccoroutine_resume(handle)
        if unsafe ccoroutine_has_ended(handle) {
            unsafe ccoroutine_destroy(handle)
            unsafe self.handle = nil
        }
    }

    /// Called inside of it.
    func suspend() {
        if let handle = unsafe handle { unsafe ccoroutine_suspend(handle) }
    }

    fileprivate func run() { body() }
}

private func enterCoroutine(_ context: UnsafeMutableRawPointer) {
    unsafe Unmanaged<Coroutine>.fromOpaque(context).takeUnretainedValue().run()
}
