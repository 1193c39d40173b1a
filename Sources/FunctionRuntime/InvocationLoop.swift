package import Clocks
package import HTTP
internal import JSON
package import Log
internal import TriggerEvents

/// One worker's loop: event in, handler, answer out, log line; nothing runs after the log line of an invocation.
package struct InvocationLoop<Source: InvocationSource> {
    /// What all workers of a process share.
    package struct Context: Sendable {
        let logger: Logger
        let clock: any Clock
        /// The time an invocation has where the platform names no deadline.
        let timeout: Duration
        let sleep: @Sendable (Duration) -> Void
        let coldStart: ColdStart

        package init(
            logger: Logger, clock: any Clock, timeout: Duration = .seconds(30),
            sleep: @escaping @Sendable (Duration) -> Void = systemSleep
        ) {
            self.logger = logger
            self.clock = clock
            self.timeout = timeout
            self.sleep = sleep
            coldStart = ColdStart()
        }
    }

    /// A Runtime API that gives so many unusable answers in a row will not give a good one.
    private static var unusableLimit: Int { 5 }

    private let source: Source
    private let handler: any Handler
    private let context: Context
    private var decoder = EventDecoder()
    private var writer = Writer()

    package init(source: Source, handler: any Handler, context: Context) {
        self.source = source
        self.handler = handler
        self.context = context
    }

    /// Serves until the source has no more, or throws when the process has to end.
    package mutating func run() throws(RuntimeAPIError) {
        var unusable = 0
        while true {
            do throws(RuntimeAPIError) {
                guard let invocation = try source.next() else { return }
                unusable = 0
                try serve(invocation)
            } catch {
                switch error {
                case .containerError, .unreachable: throw error
                case .eventTooLarge(let id): failUnread(id)
                case .disconnected, .malformed, .refused:
                    unusable += 1
                    context.logger.log(.error, "runtime_api", [("detail", .string(error.description))])
                    if unusable == Self.unusableLimit { throw error }
                    context.sleep(.milliseconds(20) * unusable)
                }
            }
        }
    }

    private mutating func serve(_ invocation: Invocation) throws(RuntimeAPIError) {
        let start = context.clock.now()
        let limit = TimeLimit(deadline: invocation.deadline, fallback: context.timeout, at: start)
        var line = InvocationLine(invocation.id, isCold: context.coldStart.isFirst())
        let answer: Answer
        do throws(TriggerError) {
            switch try decoder.decode(source.event) {
            case .http(let request, let shape): answer = respond(to: request, shape, invocation, limit, &line)
            case .schedule(let schedule): answer = run(schedule, invocation, limit, &line)
            }
        } catch {
            answer = refusal(of: error, invocation, &line)
        }
        // The line is written whatever becomes of the answer.
        let delivery: Result<Delivery, RuntimeAPIError>
        do throws(RuntimeAPIError) {
            delivery = .success(try deliver(answer, to: invocation.id, &line))
        } catch {
            delivery = .failure(error)
        }
        let end = context.clock.now()
        line.write(
            to: context.logger, took: end.steady - start.steady, left: end.timeLeft(until: limit.end),
            delivery: delivery)
        _ = try delivery.get()
    }

    // MARK: What an event comes to

    private enum Answer {
        case response([UInt8])
        case error(FunctionError)
    }

    private mutating func respond(
        to request: Request, _ shape: Shape, _ invocation: Invocation, _ limit: TimeLimit, _ line: inout InvocationLine
    ) -> Answer {
        var request = request
        // The invocation's id is in the platform's own log lines, so it is the one that callers are told.
        line.note(gatewayID: request.id, method: request.method, path: request.path)
        request.id = invocation.id
        request.deadline = limit.deadline
        var response: Response
        if request.body.count > Request.largestBody {
            response = Problem.contentTooLarge.response(requestID: request.id)
        } else {
            response = Patience(handler: handler, clock: context.clock, sleep: context.sleep).answer(
                request, by: limit.deadline)
        }
        response.guardAgainstBrowsers()
        return .response(encode(response, to: request, shape, &line))
    }

    private mutating func encode(
        _ response: Response, to request: Request, _ shape: Shape, _ line: inout InvocationLine
    ) -> [UInt8] {
        let encoded = bytes(of: response, method: request.method, shape)
        if encoded.count <= shape.responseLimit {
            line.note(response)
            return encoded
        }
        let problem = Problem(
            .internalServerError, type: "response-too-large", title: "Response too large",
            detail: "the response is larger than the platform allows")
        var replacement = problem.response(requestID: request.id)
        replacement.guardAgainstBrowsers()
        replacement.notes = response.notes.filter { $0.name != "outcome" } + replacement.notes
        line.note(replacement)
        return bytes(of: replacement, method: request.method, shape)
    }

    private mutating func bytes(of response: Response, method: Method, _ shape: Shape) -> [UInt8] {
        var writer = Writer()
        ResponseEncoder.encode(response, to: method, shape: shape, into: &writer)
        return writer.bytes
    }

    private func run(
        _ schedule: Schedule, _ invocation: Invocation, _ limit: TimeLimit, _ line: inout InvocationLine
    ) -> Answer {
        var schedule = schedule
        if schedule.id.isEmpty { schedule.id = invocation.id }
        line.note(job: schedule.job)
        let response = handler.run(schedule, deadline: limit.deadline)
        line.note(response)
        // Nobody reads the answer to a schedule: only as an error does the platform count it and try again.
        guard response.status.isSuccess else { return .error(.scheduleFailed(status: response.status.code)) }
        return .response(response.body.isEmpty ? Array("null".utf8) : response.body)
    }

    private mutating func refusal(of error: TriggerError, _ invocation: Invocation, _ line: inout InvocationLine)
        -> Answer
    {
        switch error {
        case .notJSON(let reason): return .error(.badEvent("the event is not JSON: \(reason)"))
        case .notATrigger: return .error(.unknownTrigger)
        case .malformed(let member):
            return .error(.badEvent("the member \(member) of the event is missing or of a wrong type"))
        case .bodyNotBase64(let shape, let method):
            let problem = Problem(
                .badRequest, type: "bad-input", title: "Bad input", detail: "the body is not valid base64",
                field: "body")
            var response = problem.response(requestID: invocation.id)
            response.guardAgainstBrowsers()
            line.note(response)
            return .response(bytes(of: response, method: method, shape))
        }
    }

    // MARK: Delivery

    private func deliver(_ answer: Answer, to id: String, _ line: inout InvocationLine) throws(RuntimeAPIError)
        -> Delivery
    {
        switch answer {
        case .response(let body):
            let delivery = try source.respond(to: id, with: body)
            guard delivery == .refused(status: 413) else { return delivery }
            line.note(.responseTooLarge)
            return try source.fail(id, with: .responseTooLarge)
        case .error(let error):
            line.note(error)
            return try source.fail(id, with: error)
        }
    }

    /// A platform that is gone shows at the next `next`.
    private func failUnread(_ id: String) {
        var line = InvocationLine(id, isCold: context.coldStart.isFirst())
        line.note(.eventTooLarge)
        let delivery: Result<Delivery, RuntimeAPIError>
        do throws(RuntimeAPIError) {
            delivery = .success(try source.fail(id, with: .eventTooLarge))
        } catch {
            delivery = .failure(error)
        }
        line.write(to: context.logger, took: nil, left: nil, delivery: delivery)
    }
}

extension Shape {
    /// The largest response in bytes, the JSON around it included.
    ///
    /// The platform takes 100 bytes more than 6 MiB, a load balancer 1 MB.
    /// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
    fileprivate var responseLimit: Int {
        switch self {
        case .gatewayV1, .gatewayV2: 6 << 20
        case .loadBalancer, .loadBalancerMultiValue: 1_000_000
        }
    }
}
