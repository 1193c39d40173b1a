package import Clocks
internal import HTTP
package import HTTPServer
internal import JSON
internal import Schedules
internal import Synchronization

/// The HTTP front of the local platform: what API Gateway, a function URL or a load balancer is in the cloud.
package struct Front: Sendable {
    private let platform: Platform
    private let clock: any Clock
    private let encoder: EventEncoder
    private let decoder: ResponseDecoder
    private let failure: CloudFailure

    package init(platform: Platform, clock: any Clock = SystemClock()) {
        self.platform = platform
        self.clock = clock
        encoder = EventEncoder(shape: platform.settings.shape)
        decoder = ResponseDecoder(shape: platform.settings.shape)
        failure = CloudFailure(shape: platform.settings.shape)
    }

    /// - Parameter isRecorded: false for what did not come from outside.
    package func handle(_ exchange: Exchange, isRecorded: Bool = true) {
        let request = exchange.request
        if request.path == "/_event-server/invocations" {
            var response = Response(.ok, body: platform.accountText())
            response.fields[.contentType] = "application/json"
            exchange.respond(response)
        } else if request.path == FireRoute.path {
            fire(exchange, isRecorded)
        } else if let name = InvokeRoute.lambda.function(request.path) {
            invoke(name, exchange, isRecorded)
        } else {
            relay(exchange, isRecorded)
        }
    }

    // MARK: HTTP as an event

    private func relay(_ exchange: Exchange, _ isRecorded: Bool) {
        let id = RequestID.next()
        let event = encoder.event(for: exchange.request, id: id, now: clock.now().wall)
        let isTooLarge = failure.isLoadBalancer && exchange.request.body.count > CloudFailure.loadBalancerLimit
        if isTooLarge || event.count > PlatformSettings.largestPayload {
            var response = failure.tooLarge
            response.fields[.requestID] = id
            exchange.respond(response)
            return
        }
        platform.invoke(event, id: id, isRecorded: isRecorded) { result in
            exchange.respond(response(to: result, id: id))
        }
    }

    private func response(to result: InvocationResult, id: String) -> Response {
        switch result {
        case .response(let bytes):
            if failure.isLoadBalancer, bytes.count > CloudFailure.loadBalancerLimit {
                return failure.badGateway("the response has more than 1 MB")
            }
            do throws(ResponseDecoder.Mismatch) {
                return try decoder.response(from: bytes)
            } catch {
                return failure.badGateway(error.reason)
            }
        case .functionError(let type, _): return failure.badGateway(type)
        case .platformError(let error): return page(error, id: id)
        }
    }

    private func page(_ error: PlatformError, id: String) -> Response {
        let status: Status
        let message: String
        switch error.kind {
        case .timeout: (status, message) = (.gatewayTimeout, "Endpoint request timed out")
        case .throttled, .unavailable: (status, message) = (.tooManyRequests, "Rate Exceeded.")
        case .queueTimeout, .stopped: (status, message) = (.serviceUnavailable, "Service Unavailable")
        case .crash, .initFailed, .responseTooLarge: (status, message) = (.badGateway, "Internal server error")
        }
        var response = Response(
            status,
            json: [
                "message": .string(message), "error_type": .string(error.kind.rawValue),
                "detail": .string(error.detail),
                "request_id": .string(id), "log": .array(error.log.map(JSON.Value.string)),
            ])
        response.fields[.requestID] = id
        if status == .tooManyRequests || status == .serviceUnavailable { response.fields[.retryAfter] = "1" }
        return response
    }

    // MARK: Raw events

    /// `POST /2015-03-31/functions/{name}/invocations`: the body is the event (Lambda API reference, "Invoke").
    private func invoke(_ name: String, _ exchange: Exchange, _ isRecorded: Bool) {
        let request = exchange.request
        guard request.method == .post else {
            exchange.respond(Response(.methodNotAllowed, json: ["message": "POST an event"]))
            return
        }
        guard name == platform.settings.functionName || name == "function" else {
            exchange.respond(
                Response(.notFound, json: ["message": .string("Function not found: \(name)"), "Type": "User"]))
            return
        }
        if request.body.count > PlatformSettings.largestPayload {
            exchange.respond(Response(.contentTooLarge, json: ["message": "the event is over 6 MiB", "Type": "User"]))
            return
        }
        let id = RequestID.next()
        let event = request.body.isEmpty ? Array("{}".utf8) : request.body
        let isAsynchronous = Field.Name("x-amz-invocation-type").flatMap { request.fields[$0] } == "Event"
        if isAsynchronous { exchange.respond(Response(.accepted)) }
        platform.invoke(event, id: id, isRecorded: isRecorded) { result in
            if !isAsynchronous { exchange.respond(rawResponse(to: result)) }
        }
    }

    /// A timer, now, and what the function says to it.
    private func fire(_ exchange: Exchange, _ isRecorded: Bool) {
        switch FireRoute.timer(exchange.request, of: platform.settings, sender: .scheduler) {
        case .refused(let response): exchange.respond(response)
        case .timer(let timer):
            let id = RequestID.next()
            let event = TimerEvent.bytes(for: timer, due: clock.now().wall, id: id)
            platform.invoke(event, id: id, isRecorded: isRecorded) { result in
                exchange.respond(rawResponse(to: result))
            }
        }
    }

    private func rawResponse(to result: InvocationResult) -> Response {
        var response: Response
        switch result {
        case .response(let bytes): response = Response(.ok, body: bytes)
        case .functionError(_, let body):
            response = Response(.ok, body: body)
            append("x-amz-function-error", "Unhandled", to: &response)
        case .platformError(let error) where [.throttled, .unavailable].contains(error.kind):
            response = Response(
                .tooManyRequests,
                json: ["Reason": "ConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded."])
        case .platformError(let error):
            response = Response(
                .ok, json: ["errorMessage": .string(error.detail), "errorType": .string(error.kind.rawValue)])
            append("x-amz-function-error", "Unhandled", to: &response)
        }
        append("x-amz-executed-version", "$LATEST", to: &response)
        if response.fields[.contentType] == nil { response.fields[.contentType] = "application/json" }
        return response
    }

    private func append(_ name: String, _ value: String, to response: inout Response) {
        if let name = Field.Name(name) { response.fields.append(name, value) }
    }
}

/// Request ids in the form of a UUID, unique for each request.
enum RequestID {
    static func next() -> String {
        var generator = SystemRandomNumberGenerator()
        let high = (generator.next() as UInt64) & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = (generator.next() as UInt64) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        let text = Array(hex(high) + hex(low))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(text[$0]) }.joined(separator: "-")
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
