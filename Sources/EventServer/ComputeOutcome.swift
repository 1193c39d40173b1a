internal import Clocks
internal import HTTP
internal import JSON

/// What Function Compute itself answers when an instance has no answer.
enum ComputeOutcome {
    static let throttled = problem(.tooManyRequests, "ResourceThrottled", "every instance is busy")

    /// Every answer carries the id of its request.
    static func identified(_ response: Response, _ id: String) -> Response {
        var response = response
        response.fields[ComputeLimits.requestIDField] = id
        return response
    }

    static func notStarted(_ instance: ComputeInstance) -> Response {
        let code = instance.exitCode.map { ": exit code \($0)\(hint($0))" } ?? ": it does not listen in time"
        let lines = instance.lastLines.map { "\n" + $0 }.joined()
        return problem(.badGateway, "FunctionNotStarted", "the function does not start\(code)\(lines)")
    }

    /// It listens, and does not answer as it should.
    static func notStarted(_ reason: String) -> Response { problem(.badGateway, "FunctionNotStarted", reason) }

    /// A failed initializer is a success of HTTP, with its own field.
    static func notInitialized(_ reason: String) -> Response {
        var response = problem(.ok, "InitializationError", reason)
        response.fields[ComputeLimits.errorTypeField] = "InitializationError"
        return response
    }

    static func timedOut(_ settings: PlatformSettings) -> Response {
        problem(
            .badGateway, "FunctionTimeout", "Function time out after \(settings.timeout.wholeMilliseconds) ms")
    }

    static func exited(_ instance: ComputeInstance, after time: Duration) -> Response {
        let memory = (instance.peakKilobytes + 1_023) / 1_024
        return problem(
            .badGateway, "ProcessExited",
            "Process exited unexpectedly before completing request "
                + "(duration: \(time.wholeMilliseconds)ms, maxMemoryUsage: \(memory)MB)")
    }

    static func functionNotFound(_ name: String) -> Response {
        problem(.notFound, "FunctionNotFound", "function '\(name)' does not exist")
    }

    static func badResponse(_ reason: String) -> Response { problem(.badGateway, "BadResponse", reason) }
    static func invalidArgument(_ reason: String) -> Response { problem(.badRequest, "InvalidArgument", reason) }

    private static func problem(_ status: Status, _ code: String, _ message: String) -> Response {
        Response(status, json: ["ErrorCode": .string(code), "ErrorMessage": .string(message)])
    }

    /// What the platform's documentation says of some codes.
    private static func hint(_ code: Int32) -> String {
        switch code {
        case 8: " (bad exec format)"
        case 13: " (no execute permission)"
        case 137: " (killed, as when memory is used up)"
        default: ""
        }
    }
}
