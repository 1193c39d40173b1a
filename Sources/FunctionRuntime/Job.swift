internal import Clocks
internal import HTTP
internal import HTTPServer

/// A request on its way through a serving function.
final class Job: QueuedWork {
    let exchange: Exchange
    let request: Request
    let control: PlatformControl
    let start: Moment
    let limit: TimeLimit
    let isCold: Bool
    let lane: Int
    /// What the handler handed over when it said to wait; nil at first.
    let state: (any Sendable)?

    init(
        _ exchange: Exchange, _ request: Request, _ control: PlatformControl, start: Moment, limit: TimeLimit,
        isCold: Bool, lane: Int, state: (any Sendable)? = nil
    ) {
        self.exchange = exchange
        self.request = request
        self.control = control
        self.start = start
        self.limit = limit
        self.isCold = isCold
        self.lane = lane
        self.state = state
    }

    var isResumed: Bool { state != nil }

    func resumed(with state: any Sendable) -> Job {
        Job(exchange, request, control, start: start, limit: limit, isCold: isCold, lane: lane, state: state)
    }
}
