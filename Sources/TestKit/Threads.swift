internal import Glibc

/// Runs `body` on so many threads at once, and waits for all of them.
package func onThreads(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    let work = Work(body)
    var threads: [pthread_t] = []
    for _ in 0..<count {
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(work).toOpaque()
        if unsafe pthread_create(&thread, nil, runWork, context) == 0 {
            threads.append(thread)
        } else {
            unsafe Unmanaged<Work>.fromOpaque(context).release()
        }
    }
    for thread in threads { pthread_join(thread, nil) }
}

private final class Work: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}

private func runWork(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context = unsafe context {
        unsafe Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
    }
    return nil
}
