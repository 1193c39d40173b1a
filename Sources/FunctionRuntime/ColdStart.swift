internal import Synchronization

/// Tells the first invocation of a process from all others.
package final class ColdStart: Sendable {
    private let hasServed = Atomic(false)

    /// True once.
    func isFirst() -> Bool {
        !hasServed.exchange(true, ordering: .relaxed)
    }
}
