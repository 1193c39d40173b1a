internal import Clocks
internal import HTTP

/// Calls a handler until it answers, and sleeps for it in between; never beyond the deadline.
struct Patience {
    /// No handler makes the loop spin.
    private static let shortest = Duration.milliseconds(1)

    let handler: any Handler
    let clock: any Clock
    let sleep: (Duration) -> Void

    /// The handler is called a last time when the deadline has come; one that still waits is answered for.
    func answer(_ request: Request, by deadline: Moment) -> Response {
        var state: (any Sendable)?
        while true {
            let isLast = clock.now().timeLeft(until: deadline) <= .zero
            switch handler.respond(to: request, resuming: state) {
            case .respond(let response): return response
            case .wait(let delay, let next):
                if isLast { return Self.timedOut.response(requestID: request.id) }
                state = next
                let left = clock.now().timeLeft(until: deadline)
                if left > .zero { sleep(max(min(delay, left), Self.shortest)) }
            }
        }
    }

    private static let timedOut = Problem(
        .serviceUnavailable, type: "timeout", title: "No answer in time",
        detail: "the answer did not come before the deadline of the request", retryAfter: 1)
}
