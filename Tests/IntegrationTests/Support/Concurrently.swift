import Foundation

/// Runs `body` on `count` threads of their own and waits for all.
///
/// `DispatchQueue.concurrentPerform` gives no such promise: on a busy pool it runs the bodies one after the other, and
/// bodies that wait for each other then wait for ever.
func concurrently(_ count: Int, _ body: @Sendable (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
        let group = DispatchGroup()
        for index in 0..<count {
            group.enter()
            Thread.detachNewThread {
                body(index)
                group.leave()
            }
        }
        group.wait()
    }
}
