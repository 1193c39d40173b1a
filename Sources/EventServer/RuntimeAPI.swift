internal import Clocks
internal import HTTP
internal import HTTPServer
internal import JSON

/// The Lambda Runtime API of one instance (Lambda developer guide, "Using the Lambda runtime API").
enum RuntimeAPI {
    private enum Endpoint {
        case next, response, error, initError
    }

    private static let router = Router<Endpoint>([
        .init(.get, "/2018-06-01/runtime/invocation/next", .next),
        .init(.post, "/2018-06-01/runtime/invocation/:id/response", .response),
        .init(.post, "/2018-06-01/runtime/invocation/:id/error", .error),
        .init(.post, "/2018-06-01/runtime/init/error", .initError),
    ])

    /// Opens a listener for one instance: the variable is host and port alone, so the port tells who asks.
    static func serve(_ instance: Instance, platform: Platform) throws(ServerError) -> Server {
        var configuration = Server.Configuration()
        configuration.threads = 1
        // While the function works on an event, its connection is silent.
        configuration.idleTimeout = .seconds(3_600)
        // Larger than the limit, so that too large a response is answered as the cloud does.
        configuration.maximumBodyBytes = 2 * PlatformSettings.largestPayload
        return try Server(configuration) { [weak instance, weak platform] exchange in
            guard let instance, let platform else { return exchange.abort(reset: false) }
            handle(exchange, instance, platform)
        }
    }

    private static func handle(_ exchange: Exchange, _ instance: Instance, _ platform: Platform) {
        let request = exchange.request
        guard case .found(let route, let parameters) = router.match(request.method, path: request.path) else {
            exchange.respond(failure(.notFound, "NotFound", "no such runtime route"))
            return
        }
        let id = parameters["id"] ?? ""
        switch route.endpoint {
        case .next: platform.next(instance, exchange)
        case .response:
            guard hasKnownMode(request) else {
                return exchange.respond(
                    failure(.badRequest, "InvalidFunctionResponseMode", "the response mode may be streaming alone"))
            }
            exchange.respond(platform.answer(instance, id: id, .response(request.body)))
        case .error:
            let type = errorType(request)
            exchange.respond(platform.answer(instance, id: id, .functionError(type: type, body: request.body)))
        case .initError:
            let text = String(decoding: request.body.prefix(4_096), as: UTF8.self)
            exchange.respond(platform.initFailed(instance, detail: "\(errorType(request)) \(text)"))
        }
    }

    private static func hasKnownMode(_ request: Request) -> Bool {
        let mode = Field.Name("lambda-runtime-function-response-mode").flatMap { request.fields[$0] } ?? ""
        return mode.isEmpty || mode == "streaming"
    }

    /// Types that do not look like the platform's are recorded as unknown, as the cloud does.
    private static func errorType(_ request: Request) -> String {
        guard let type = Field.Name("lambda-runtime-function-error-type").flatMap({ request.fields[$0] }) else {
            return "Runtime.Unknown"
        }
        if type.contains(/(Runtime|Function)\.[A-Z][a-zA-Z]+/) { return type }
        return type.hasPrefix("Function.") ? "Function.Unknown" : "Runtime.Unknown"
    }

    // MARK: Answers

    static func event(_ invocation: Invocation, deadline: Timestamp, functionName: String) -> Response {
        var response = Response(.ok, body: invocation.event)
        response.fields[.contentType] = "application/json"
        for (name, value) in [
            ("lambda-runtime-aws-request-id", invocation.id),
            ("lambda-runtime-deadline-ms", String(deadline.milliseconds)),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:\(functionName)"),
            ("lambda-runtime-trace-id", EventEncoder.trace(invocation.id, invocation.cameAt.wall) + ";Sampled=0"),
        ] {
            if let name = Field.Name(name) { response.fields.append(name, value) }
        }
        return response
    }

    static let accepted = Response(.accepted, json: ["status": "OK"])
    static let invalidState = failure(.forbidden, "InvalidStateTransition", "Transition is not allowed")
    static let invalidRequestID = failure(.badRequest, "InvalidRequestID", "Invalid request ID")
    /// Managed instances alone: others are killed when an event's time is over.
    static let late = failure(Status(code: 410), "InvokeTimeout", "The invocation has timed out")
    static let tooLarge = failure(
        .contentTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).")
    static let gone = failure(.internalServerError, "InternalServerError", "this instance is being ended")

    private static func failure(_ status: Status, _ type: String, _ message: String) -> Response {
        Response(status, json: ["errorMessage": .string(message), "errorType": .string(type)])
    }
}
