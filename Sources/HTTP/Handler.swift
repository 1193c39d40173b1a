package import Clocks

/// What answers requests.
///
/// One value belongs to one worker, which calls it for one request at a time; it may own a database connection and
/// need not be `Sendable`.
package protocol Handler {
    /// Answers, or says how long to wait before it is called again for the same request.
    ///
    /// It never sleeps: a pull loop sleeps for it, a server parks the connection. `resuming` is the state that the
    /// last `.wait` for this request handed over, nil at first; another worker's handler may be the one that resumes.
    func respond(to request: Request, resuming state: (any Sendable)?) -> Outcome

    /// Does the work of a schedule or timer before `deadline`; the answer is for the log.
    func run(_ schedule: Schedule, deadline: Moment?) -> Response
}

/// What a handler decides about a request.
package enum Outcome: Sendable {
    case respond(Response)
    /// Nothing to say before `delay` has gone; call again with `state` then, or at the deadline if that is sooner.
    case wait(delay: Duration, state: any Sendable)
}

/// A schedule or timer that fired.
package struct Schedule: Sendable, Equatable {
    /// What to do, from the payload's `job`; nil where the payload names none.
    package var job: String?
    /// The platform's id for this event.
    package var id: String

    package init(job: String?, id: String) {
        self.job = job
        self.id = id
    }
}
