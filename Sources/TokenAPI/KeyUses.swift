internal import Clocks
internal import Locks

/// The last uses of API keys that are not written yet.
///
/// All workers of a process share one value. A hit writes nothing: what it notes here waits for a request that asks the
/// database for more than one answer anyway, and is lost with the instance if none comes.
package final class KeyUses: Sendable {
    private struct State: Sendable {
        var pending: [String: Timestamp] = [:]
        /// What this process has written of late, which readings that were under way do not show.
        var written: [String: Timestamp] = [:]
    }

    private let state = Lock(State())

    /// No key is written more often.
    static let interval = Duration.seconds(3_600)
    /// More keys than one instance serves in an hour; beyond it a use is not noted.
    private static let limit = 1_000

    package init() {}

    /// - Parameter written: what the key's row says of its last use.
    func note(_ id: String, at now: Timestamp, written: Timestamp?) {
        state.withLock { state in
            if let last = [written, state.written[id]].compactMap({ $0 }).max(), now - last < KeyUses.interval {
                return
            }
            if state.pending[id] == nil, state.pending.count >= KeyUses.limit { return }
            state.pending[id] = now
        }
    }

    /// Some of what waits, which does not wait any more.
    func take(atMost count: Int) -> [(id: String, at: Timestamp)] {
        state.withLock { state in
            if state.pending.isEmpty { return [] }
            if state.written.count >= KeyUses.limit { state.written = [:] }
            let taken = state.pending.prefix(count).map { (id: $0.key, at: $0.value) }
            for use in taken {
                state.pending[use.id] = nil
                state.written[use.id] = use.at
            }
            return taken
        }
    }
}
