internal import CSystem
internal import Clocks
internal import Fibers
internal import Glibc
internal import HTTP
internal import HTTPServer
internal import JSON
internal import Locks
internal import Log
internal import Synchronization
internal import TriggerEvents

/// A function that serves HTTP itself, as Alibaba's Function Compute wants it of a custom runtime.
///
/// What is in memory is answered as it comes. Everything else goes to a bounded set of workers, each with its own handler and
/// so its own database connection. Workers are fibers on the network threads: while one waits for the database its thread
/// goes on with others. Whoever has to wait longer is parked and holds neither worker nor connection.
/// https://www.alibabacloud.com/help/en/functioncompute/fc-3-0/user-guide/custom-runtime
final class ServeLoop: Sendable {
    struct Settings: Equatable {
        var address: String
        var port: UInt16
        var workers: Int
        /// New requests that wait for a worker; one more is a 429.
        var queue: Int
        /// The time that a request has: nothing on this platform tells.
        var timeout: Duration
    }

    private let logger: Logger
    private let clock: any Clock
    private let timeout: Duration
    private let queue: WorkQueue<Job>
    /// Made before the first request comes, and never changed.
    private nonisolated(unsafe) var lanes: [Lane] = []
    private let timers: Timers
    private let coldStart = ColdStart()
    /// Requests that are not yet answered, but for those that wait for the end of all others.
    private let inFlight = Atomic(0)
    /// Whether somebody will look for requests that no worker came for.
    private let isWatched = Atomic(false)

    private init(
        _ settings: Settings, _ loops: [EventLoop], logger: Logger, clock: any Clock,
        makeHandler: (Int) throws(StartupError) -> any Handler
    ) throws(StartupError) {
        self.logger = logger
        self.clock = clock
        timeout = settings.timeout
        timers = Timers(clock: clock)
        // Worker by worker in turn, so that the threads have equally many.
        var handlers: [[any Handler]] = Array(repeating: [], count: loops.count)
        for number in 0..<settings.workers { handlers[number % loops.count].append(try makeHandler(number)) }
        queue = WorkQueue(limit: settings.queue, workers: handlers.map(\.count))
        for (lane, loop) in loops.enumerated() {
            unsafe lanes.append(
                Lane(
                    loop, handlers[lane], work: { self.work($0, $1, &$2) }, next: { [queue] in queue.next(for: lane) }))
        }
    }

    /// Serves until SIGTERM or SIGINT; answers the exit code.
    static func run(
        _ settings: Settings, logger: Logger, clock: any Clock, immediate: any ImmediateResponder,
        makeHandler: (Int) throws(StartupError) -> any Handler
    ) throws(StartupError) -> Int32 {
        csystem_block_termination()
        let loops = (0..<FunctionRuntime.networkThreads).compactMap { _ in EventLoop() }
        guard loops.count == FunctionRuntime.networkThreads else {
            throw StartupError(variable: "FC_CUSTOM_LISTEN_PORT", message: "no descriptors are to be had")
        }
        let loop = try ServeLoop(
            settings, loops, logger: logger, clock: clock, makeHandler: makeHandler)
        guard Thread.startDetached({ loop.timers.run() }) else {
            throw StartupError(variable: "FC_CUSTOM_LISTEN_PORT", message: "no thread can be started")
        }
        var configuration = Server.Configuration()
        configuration.address = settings.address
        configuration.port = settings.port
        configuration.requestIDField = .fcRequestID
        configuration.maximumBodyBytes = Request.largestBody
        // FC cuts fields at 8 KB itself and targets at 4; to these come a record of each field and the head of the answer. What a
        // connection reserves for all of it is most of what it costs.
        configuration.maximumHeadBytes = 17 << 10
        // FC keeps its connections for as long as the instance lives.
        configuration.idleTimeout = .seconds(365 * 86_400)
        configuration.requestTimeout = settings.timeout + .seconds(60)
        configuration.answerAtOnce = { loop.answerAtOnce(&$0, immediate) }
        let server: Server
        do throws(ServerError) {
            server = try Server(configuration, loops: loops) { loop.receive($0) }
        } catch {
            throw StartupError(variable: "FC_CUSTOM_LISTEN_PORT", message: "\(settings.port) cannot be used: \(error)")
        }
        logger.log(
            .info, "serving", [("port", .integer(Int64(server.port))), ("workers", .integer(Int64(settings.workers)))])
        _ = csystem_wait_for_termination()
        server.stop(grace: .seconds(10))
        return 0
    }

    // MARK: On the network thread

    /// What is in memory; nothing is made for it that would have to wait.
    ///
    /// Every request comes by here first.
    ///
    /// - Parameter immediate: a parameter because each use of a property would count a reference that all threads share.
    private func answerAtOnce(_ request: inout Request, _ immediate: any ImmediateResponder) -> Response? {
        request.id = RequestID.of(request)
        // The connection is the platform's own; who the caller is stands in a header alone.
        request.sourceAddress = nil
        guard PlatformControl(request) == .request else { return nil }
        let start = clock.now()
        guard let response = immediate.respondAtOnce(to: request, at: start) else { return nil }
        var line = InvocationLine(request.id, isCold: coldStart.isFirst())
        line.note(gatewayID: "", method: request.method, path: request.path)
        return finished(
            response, request.id, line, from: start, until: start + timeout,
            isFunctionError: response.status == .internalServerError)
    }

    private func receive(_ exchange: Exchange) {
        var request = exchange.request
        let start = clock.now()
        let limit = TimeLimit(deadline: nil, fallback: timeout, at: start)
        request.arrival = start
        request.deadline = limit.deadline
        let control = PlatformControl(request)
        if control != .preStop { inFlight.add(1, ordering: .relaxed) }
        guard let lane = unsafe lanes.firstIndex(where: { $0.loop.isCurrent }) else {
            preconditionFailure("a request outside of the network threads")
        }
        let job = Job(exchange, request, control, start: start, limit: limit, isCold: coldStart.isFirst(), lane: lane)
        switch control {
        case .request, .event: enqueue(job)
        case .initialize: answer(job, Response(.ok, json: ["status": "ok"]))
        case .preStop: finish(job)
        case .outside, .unknown: answer(job, Problem.unknownRoute.response(requestID: job.request.id))
        case .ambiguous: answer(job, Problem.ambiguousControl.response(requestID: job.request.id))
        }
    }

    /// Gives it to an idle worker, first of all to one of this very thread, or has it wait for one.
    private func enqueue(_ job: Job) {
        switch queue.place(job) {
        case .lane(let number):
            let lane = unsafe lanes[number]
            if lane.loop.isCurrent { lane.start(job) } else { lane.loop.post { lane.start(job) } }
        case .queue: watch()
        case .none: answer(job, Problem.full.response(requestID: job.request.id))
        }
    }

    /// The instance is about to end: what is in flight is finished first.
    private func finish(_ job: Job) {
        if inFlight.load(ordering: .relaxed) <= 0 || isOver(job) {
            return answer(job, Response(.ok, json: ["status": "ok"]))
        }
        timers.after(.milliseconds(20)) { self.finish(job) }
    }

    private func isOver(_ job: Job) -> Bool {
        clock.now().timeLeft(until: job.limit.deadline) <= .zero
    }

    // MARK: On the timers' thread

    /// Sees to it that a request is answered in time even if every worker is held, as by a database that hangs.
    private func watch() {
        if isWatched.exchange(true, ordering: .acquiringAndReleasing) { return }
        timers.after(.milliseconds(50)) { [self] in
            isWatched.store(false, ordering: .releasing)
            for job in queue.removeAll(where: isOver) {
                answer(job, Problem.timedOut.response(requestID: job.request.id))
            }
            if !queue.isEmpty { watch() }
        }
    }

    // MARK: On a worker

    /// One step of a request: it is answered, or parked until it may go on.
    private func work(_ job: Job, _ handler: any Handler, _ decoder: inout EventDecoder) {
        if job.control == .event { return invoke(job, handler, &decoder) }
        let isLast = isOver(job)
        switch handler.respond(to: job.request, resuming: job.state) {
        case .respond(let response): answer(job, response)
        case .wait(let delay, let state):
            if isLast { return answer(job, Problem.timedOut.response(requestID: job.request.id)) }
            let left = clock.now().timeLeft(until: job.limit.deadline)
            timers.after(max(min(delay, left), .milliseconds(1))) { [self] in
                // What was taken once is never turned away.
                enqueue(job.resumed(with: state))
            }
        }
    }

    /// A timer, or whatever else invokes the function with an event.
    private func invoke(_ job: Job, _ handler: any Handler, _ decoder: inout EventDecoder) {
        var line = InvocationLine(job.request.id, isCold: job.isCold)
        let response: Response
        do throws(TriggerError) {
            guard case .schedule(var schedule) = try decoder.decode(job.request.body) else { throw .notATrigger }
            if schedule.id.isEmpty { schedule.id = job.request.id }
            line.note(job: schedule.job)
            response = handler.run(schedule, deadline: job.limit.deadline)
        } catch {
            response = Problem.badEvent.response(requestID: job.request.id)
        }
        answer(job, response, line, isFunctionError: !response.status.isSuccess)
    }

    // MARK: Answers

    private func answer(_ job: Job, _ response: Response) {
        var line = InvocationLine(job.request.id, isCold: job.isCold)
        line.note(gatewayID: "", method: job.request.method, path: job.request.path)
        answer(job, response, line, isFunctionError: response.status == .internalServerError)
    }

    private func answer(_ job: Job, _ response: Response, _ line: InvocationLine, isFunctionError: Bool) {
        job.exchange.respond(
            finished(
                response, job.request.id, line, from: job.start, until: job.limit.end, isFunctionError: isFunctionError)
        )
        if job.control != .preStop { inFlight.subtract(1, ordering: .relaxed) }
    }

    /// The answer with what every answer carries; its log line is written.
    ///
    /// - Parameter isFunctionError: the platform counts it as a failure of the function.
    private func finished(
        _ response: consuming Response, _ id: String, _ line: consuming InvocationLine, from start: Moment,
        until limit: Moment, isFunctionError: Bool
    ) -> Response {
        var isFunctionError = isFunctionError
        response.guardAgainstBrowsers()
        if response.fields.headBytes > ServeLoop.largestHead {
            response = Problem.headTooLarge.response(requestID: id)
            response.guardAgainstBrowsers()
            isFunctionError = true
        }
        response.fields[.requestID] = id
        response.fields[.fcStatus] = isFunctionError ? "404" : "200"
        line.note(response)
        let end = clock.now()
        // First the line: once everybody is answered the platform freezes the instance.
        line.write(
            to: logger, took: end.steady - start.steady, left: end.timeLeft(until: limit),
            delivery: .success(.accepted))
        return response
    }

    /// The platform answers 502 beyond 8 KB; what it adds itself needs room.
    private static let largestHead = 7 << 10
}

extension Problem {
    fileprivate static let full = Problem(
        .tooManyRequests, type: "full", title: "Too many requests",
        detail: "this instance has as many requests as it can bear", retryAfter: 1)
    fileprivate static let timedOut = Problem(
        .serviceUnavailable, type: "timeout", title: "No answer in time",
        detail: "the answer did not come before the deadline of the request", retryAfter: 1)
    fileprivate static let badEvent = Problem(
        .badRequest, type: "bad-input", title: "Bad input", detail: "the event is no timer's that is known here",
        field: "payload")
    fileprivate static let unknownRoute = Problem(
        .notFound, type: "not-found", title: "Not found", detail: "there is nothing at this path")
    fileprivate static let ambiguousControl = Problem(
        .badRequest, type: "bad-request", title: "Bad request", detail: "more than one x-fc-control-path field")
    fileprivate static let headTooLarge = Problem(
        .internalServerError, type: "response-too-large", title: "Response too large",
        detail: "the header fields of the response are larger than the platform allows")
}
