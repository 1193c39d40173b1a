internal import Clocks
internal import HTTP
internal import HTTPServer

/// One execution environment: a process, and the Runtime API that it alone speaks to.
///
/// Everything that changes is guarded by the platform's lock.
final class Instance: @unchecked Sendable {
    enum State {
        /// The process runs and has not asked for an event yet.
        case starting
        /// It waits in `next`, which is parked.
        case idle(Exchange, since: Moment)
        /// It works on an event; after its answer it is still busy, and billed, until it asks for the next.
        case busy(Invocation)
        /// Its process is being ended, or has.
        case gone
    }

    let number: Int
    let startedAt: Moment

    // Written under the platform's lock alone.
    var state = State.starting
    var process: FunctionProcess?
    private var program: ProgramFiles
    var api: Server?
    /// How long the process took to ask for its first event; reported with that event.
    var initDuration: Duration?
    /// What the function said when its init failed.
    var initError: String?
    /// Why the platform ended it.
    var ending: PlatformError?

    init(number: Int, bootstrap: String, startedAt: Moment) {
        self.number = number
        self.startedAt = startedAt
        program = ProgramFiles(bootstrap)
    }

    var isStarting: Bool {
        if case .starting = state { true } else { false }
    }

    var isIdle: Bool {
        if case .idle = state { true } else { false }
    }

    /// Its program is not what it was started from.
    var isOutdated: Bool {
        if let process { program.add(runningAs: process.id) }
        return program.haveChanged
    }
}
