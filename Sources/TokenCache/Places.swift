internal import Locks

/// The calls of the server under way in this process: so many of one realm, of one kind, and in all.
///
/// Each holds a worker until it is answered. Whoever finds no place is parked, so that a realm whose provider hangs leaves workers to the others.
package final class Places: Sendable {
    enum Kind: Sendable {
        /// A token that is not in memory.
        case token
        /// A request that is passed on as it is.
        case passed
    }

    private struct State: Sendable {
        var ofRealm: [String: Int] = [:]
        var ofKind: [Kind: Int] = [:]
        var all = 0
    }

    private let perRealm: Int
    private let perKind: Int
    private let total: Int
    private let state = Lock(State())

    /// - Parameter workers: a third of them may be in calls of one realm, two thirds in those of one kind; one is always free.
    package init(workers: Int) {
        perRealm = max(1, workers / 3)
        perKind = max(1, workers * 2 / 3)
        total = max(1, workers - 1)
    }

    /// Whether there is a place; who takes it must leave it.
    ///
    /// - Parameter realm: the empty text for a request that names none.
    func take(_ kind: Kind, realm: String) -> Bool {
        state.withLock { state in
            let count = state.ofRealm[realm] ?? 0
            let ofKind = state.ofKind[kind] ?? 0
            guard count < perRealm, ofKind < perKind, state.all < total else { return false }
            state.ofRealm[realm] = count + 1
            state.ofKind[kind] = ofKind + 1
            state.all += 1
            return true
        }
    }

    func leave(_ kind: Kind, realm: String) {
        state.withLock { state in
            let count = (state.ofRealm[realm] ?? 1) - 1
            state.ofRealm[realm] = count > 0 ? count : nil
            state.ofKind[kind] = (state.ofKind[kind] ?? 1) - 1
            state.all -= 1
        }
    }
}
