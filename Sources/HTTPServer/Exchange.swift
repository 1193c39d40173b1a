internal import CMicroHTTPD
package import HTTP
internal import Synchronization

/// One request and the right to answer it once, from any thread, now or later.
///
/// `@unchecked`: the connection is only touched under the lock, and forgotten there before libmicrohttpd frees it.
@safe package final class Exchange: @unchecked Sendable {
    package let request: HTTP.Request
    private let state: Mutex<State>
    private let library: UnsafePointer<cmhd_table>

    enum Reply: Sendable {
        case response(HTTP.Response)
        case abort(reset: Bool)
    }

    @safe private struct State: @unchecked Sendable {
        var connection: OpaquePointer?
        var reply: Reply?
        var isParked = false
    }

    init(request: HTTP.Request, connection: OpaquePointer, library: UnsafePointer<cmhd_table>) {
        self.request = request
        unsafe self.library = unsafe library
        unsafe state = Mutex(State(connection: connection))
    }

    /// Answers; the first answer counts, later ones are ignored.
    package func respond(_ response: HTTP.Response) {
        reply(.response(response))
    }

    /// Closes the connection without an answer; with `reset` the peer sees the connection break.
    package func abort(reset: Bool) {
        reply(.abort(reset: reset))
    }

    private func reply(_ reply: Reply) {
        state.withLock { state in
            guard state.reply == nil, let connection = unsafe state.connection else { return }
            state.reply = reply
            if state.isParked {
                state.isParked = false
                unsafe library.pointee.resume_connection(connection)
            }
        }
    }

    /// The answer, if there is one; otherwise the connection is parked until there is.
    func replyOrPark(beforeParking: () -> Void) -> Reply? {
        state.withLock { state in
            if let reply = state.reply { return reply }
            if let connection = unsafe state.connection {
                beforeParking()
                // Before anybody can answer: resuming what is not suspended is undefined.
                unsafe library.pointee.suspend_connection(connection)
                state.isParked = true
            }
            return nil
        }
    }

    /// The connection is about to be freed.
    func forgetConnection() {
        state.withLock { unsafe $0.connection = nil }
    }
}
