import Foundation

/// Runs `body` on `count` threads of their own and waits for all.
///
/// `DispatchQueue.concurrentPerform` gives no such promise: on a busy pool it runs the bodies one after the other, and
/// bodies that wait for each other then wait for ever.
func concurrently(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let group = DispatchGroup()
    for index in 0..<count {
        group.enter()
        // A thread lets go of `body` only after it has left the group: that is why it escapes.
        Thread.detachNewThread {
            body(index)
            group.leave()
        }
    }
    group.wait()
}
