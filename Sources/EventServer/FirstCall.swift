internal import Glibc
internal import Locks

/// A call that an instance gets once before its first request; one that fails is tried again by the next request.
final class FirstCall: Sendable {
    private enum Progress: Sendable {
        case notYet, running, done
    }

    private struct State: Sendable {
        var progress = Progress.notYet
        var failures = 0
        var lastFailure = ""
    }

    private let state = Lock(State())

    var isDone: Bool {
        state.withLock { state in
            if case .done = state.progress { true } else { false }
        }
    }

    /// Makes the call, or waits for who does; answers why it failed, nil where it is done.
    ///
    /// - Parameter call: makes the call; nil is success.
    func perform(_ call: () -> String?) -> String? {
        let failuresBefore = state.withLock { $0.failures }
        while true {
            let isMine = state.withLock { state in
                guard case .notYet = state.progress, state.failures == failuresBefore else { return false }
                state.progress = .running
                return true
            }
            if isMine {
                let failure = call()
                state.withLock { state in
                    state.progress = failure == nil ? .done : .notYet
                    if let failure {
                        state.failures += 1
                        state.lastFailure = failure
                    }
                }
                return failure
            }
            let (isDone, failure) = state.withLock { state in
                if case .done = state.progress { return (true, nil as String?) }
                return (false, state.failures > failuresBefore ? state.lastFailure : nil)
            }
            if isDone { return nil }
            if let failure { return failure }
            usleep(1_000)
        }
    }
}
