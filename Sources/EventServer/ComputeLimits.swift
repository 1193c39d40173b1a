internal import HTTP

/// What Function Compute takes and gives (limits and fields of custom runtimes).
enum ComputeLimits {
    private static let statusField = known("x-fc-status")
    static let requestIDField = known("x-fc-request-id")
    static let errorTypeField = known("x-fc-error-type")
    private static let dispositionField = known("content-disposition")
    static let hopFields: Set<String> = [
        "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length", "expect",
        "proxy-authorization", "proxy-connection",
    ]
    private static let droppedFields: Set<String> = [
        "connection", "content-length", "date", "keep-alive", "server", "upgrade",
    ]
    private static let largestFields = 8 << 10
    private static let largestTarget = 4 << 10

    static func refusal(of request: Request) -> Response? {
        if request.fields.headBytes > largestFields {
            return ComputeOutcome.invalidArgument("the header fields have more than 8 KB")
        }
        if request.path.utf8.count + request.query.utf8.count > largestTarget {
            return ComputeOutcome.invalidArgument("path and query have more than 4 KB")
        }
        return nil
    }

    /// The function counts its own answer as a failure.
    static func saysFailed(_ answer: ClientResponse) -> Bool { answer.fields[statusField] == "404" }

    static func refusal(of answer: ClientResponse) -> Response? {
        answer.fields.headBytes > largestFields
            ? ComputeOutcome.badResponse("the header fields of the response have more than 8 KB") : nil
    }

    /// The function's answer as the caller gets it.
    static func passed(_ answer: ClientResponse, of request: ComputeRequest, _ settings: PlatformSettings) -> Response {
        // Who invokes a function with an event gets what it wrote and nothing else.
        if request.isEvent {
            var response = Response(.ok, body: answer.body)
            if saysFailed(answer) { response.fields[errorTypeField] = "HandledInvocationError" }
            return response
        }
        var response = Response(answer.status, body: answer.body)
        for field in answer.fields {
            let name = field.name.lowercased
            if droppedFields.contains(name) || hopFields.contains(name) || name.hasPrefix("x-fc-") { continue }
            if field.name == dispositionField, field.value.lowercased().hasPrefix("attachment") { continue }
            response.fields.append(field.name, field.value)
        }
        // The answer to HEAD has no body to tell it by.
        if request.isHead { response.fields[.contentLength] = answer.fields[.contentLength] }
        if settings.isDefaultDomain { response.fields[dispositionField] = "attachment" }
        return response
    }

    private static func known(_ name: String) -> Field.Name {
        guard let known = Field.Name(name) else { preconditionFailure("\(name) is no field name") }
        return known
    }
}
