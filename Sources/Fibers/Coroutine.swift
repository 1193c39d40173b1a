internal import CCoroutine

/// A piece of blocking code on a stack of its own, which somebody resumes and which suspends itself.
@safe package final class Coroutine {
    private var handle: OpaquePointer?
    private let body: () -> Void
    /// What it is to an event loop.
    unowned var fiber: Fiber?

    /// The one that runs on this thread.
    static var current: Coroutine? {
        unsafe ccoroutine_current().map { unsafe Unmanaged<Coroutine>.fromOpaque($0).takeUnretainedValue() }
    }

    package init(_ body: @escaping () -> Void) {
        self.body = body
        unsafe handle = ccoroutine_create(enterCoroutine, Unmanaged.passUnretained(self).toOpaque())
        if unsafe handle == nil { fatalError("no memory for a coroutine") }
    }

    package var hasEnded: Bool { unsafe handle.map { unsafe ccoroutine_has_ended($0) } ?? true }

    /// Runs it until it suspends or ends; on one thread alone.
    package func resume() {
        guard let handle = unsafe handle else { return }
        unsafe ccoroutine_resume(handle)
        if unsafe ccoroutine_has_ended(handle) {
            unsafe ccoroutine_destroy(handle)
            unsafe self.handle = nil
        }
    }

    /// Called inside of it.
    package func suspend() {
        if let handle = unsafe handle { unsafe ccoroutine_suspend(handle) }
    }

    fileprivate func run() { body() }
}

private func enterCoroutine(_ context: UnsafeMutableRawPointer) {
    unsafe Unmanaged<Coroutine>.fromOpaque(context).takeUnretainedValue().run()
}
