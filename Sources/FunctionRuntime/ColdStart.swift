internal import Synchronization

/// Tells the first invocation of a process from all others.
package final class ColdStart: Sendable {
    private let hasServed = Atomic(false)

    /// True once.
    func isFirst() -> Bool {
        // Most requests only read, so that threads do not wait for each other's caches.
        !hasServed.load(ordering: .relaxed) && !hasServed.exchange(true, ordering: .relaxed)
    }
}
