internal import Glibc
internal import HTTP
internal import Locks

/// Threads that each pass on one request at a time, as many as there are requests under way.
final class Relays: Sendable {
    private typealias Work = @Sendable (any HTTP.Client) -> Void

    private struct State: Sendable {
        var work: [Work] = []
        var idle = 0
    }

    private let state = Lock(State())
    private let available = Semaphore()
    private let makeClient: @Sendable () -> any HTTP.Client

    init(makeClient: @escaping @Sendable () -> any HTTP.Client) {
        self.makeClient = makeClient
    }

    func run(_ work: @escaping @Sendable (any HTTP.Client) -> Void) {
        let needsThread = state.withLock { state in
            state.work.append(work)
            return state.work.count > state.idle
        }
        if needsThread { BackgroundThread.start { self.serve() } }
        available.signal()
    }

    /// A thread that had nothing to do for a while ends.
    private func serve() {
        let client = makeClient()
        while true {
            state.withLock { $0.idle += 1 }
            let isWanted = available.wait(atMost: .seconds(10))
            let work = state.withLock { state -> Work? in
                state.idle -= 1
                return state.work.isEmpty ? nil : state.work.removeFirst()
            }
            if let work {
                work(client)
            } else if !isWanted {
                return
            }
        }
    }
}
