internal import Fibers
package import HTTP
internal import Locks

/// One request and the right to answer it, from any thread, now or later.
///
/// Until it is answered its connection is parked: it holds no thread. Answer or abort every exchange; one that is
/// dropped stays parked until the server stops.
package final class Exchange: Sendable {
    /// Path and query as they came, fields in order, the whole body, the peer's address.
    package let request: HTTP.Request

    private let core: Core
    private let handle: Library.Handle
    private let loop: EventLoop
    private let state = Lock(State.running)

    private enum State {
        /// The handler has it, on the network thread, which will look at the state when the handler returns.
        case running
        /// The connection is suspended; who leaves this state resumes it.
        case parked
        case decided(Verdict)
        /// The verdict is with the library: the handle may be gone.
        case finished
    }

    /// What becomes of the connection.
    enum Verdict {
        case answer(HTTP.Response)
        case cutAnswer(HTTP.Response, bytes: Int)
        case close
        case reset
    }

    init(_ request: HTTP.Request, core: Core, handle: Library.Handle) {
        self.request = request
        self.core = core
        self.handle = handle
        guard let loop = EventLoop.current else { preconditionFailure("a request outside of its network thread") }
        self.loop = loop
    }

    /// Answers; the first answer or abort wins and later ones are ignored.
    package func respond(_ response: HTTP.Response) {
        decide(.answer(response))
    }

    /// Sends the head with the full length, so many bytes of the body, and closes: what a peer that fails half-way leaves.
    package func respond(_ response: HTTP.Response, cutAfter bytes: Int) {
        decide(.cutAnswer(response, bytes: bytes))
    }

    /// Closes the connection without an answer; with `reset` by RST, as a peer that crashed would.
    package func abort(reset: Bool) {
        decide(reset ? .reset : .close)
    }

    private func decide(_ verdict: Verdict) {
        state.withLock { state in
            switch state {
            case .running: state = .decided(verdict)
            case .parked:
                state = .decided(verdict)
                core.unpark(self)
                resume()
            case .decided, .finished: break
            }
        }
    }

    /// On the connection's own thread; a resumption in the middle of a run of the library is seen by the next run alone.
    private func resume() {
        guard loop.isCurrent else {
            return loop.post { [core, handle] in core.library.resume(handle) }
        }
        core.library.resume(handle)
        loop.interrupt()
    }

    /// Takes the verdict, or parks the connection and gives nil; on the network thread only.
    func verdictOrPark() -> Verdict? {
        state.withLock { state in
            switch state {
            case .running:
                guard core.park(self) else {
                    state = .finished
                    return .answer(Core.stopping)
                }
                core.library.suspend(handle)
                state = .parked
                return nil
            case .decided(let verdict):
                state = .finished
                return verdict
            case .parked: return nil
            case .finished: return .close
            }
        }
    }

    /// The library has ended the request: the handle is gone.
    func end() {
        state.withLock { $0 = .finished }
    }
}
