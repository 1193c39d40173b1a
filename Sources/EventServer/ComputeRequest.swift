internal import Clocks
internal import HTTP

/// A request as the platform hands it to the function.
struct ComputeRequest: Sendable {
    let id = RequestID.next()
    private let request: Request
    private let control: String
    private let fields: Fields
    /// It carries an event, which is no HTTP request of a caller.
    let isEvent: Bool
    /// False for what did not come from outside.
    let isRecorded: Bool

    init(_ request: Request, _ settings: PlatformSettings, control: String, isRecorded: Bool) {
        self.request = request
        self.control = control
        self.isRecorded = isRecorded
        isEvent = control == "/invoke"
        var fields = Fields()
        for field in request.fields {
            // What only the platform may say, and what belongs to one connection.
            if field.name.lowercased.hasPrefix("x-fc-") || ComputeLimits.hopFields.contains(field.name.lowercased) {
                continue
            }
            fields.append(field.name, field.value)
        }
        for (name, value) in [
            ("x-fc-request-id", id), ("x-fc-control-path", control), ("x-fc-function-name", settings.functionName),
            ("x-fc-function-handler", settings.functionName),
            ("x-fc-function-memory", String(settings.memoryMegabytes)),
            ("x-fc-region", "cn-hangzhou"), ("x-fc-account-id", "123456789012"), ("x-fc-qualifier", "LATEST"),
            ("x-fc-version-id", "0"),
        ] {
            if let name = Field.Name(name) { fields.append(name, value) }
        }
        if isEvent, fields[.contentType] == nil { fields[.contentType] = "application/octet-stream" }
        if let address = request.sourceAddress {
            fields[.forwardedFor] = (request.fields.values(.forwardedFor) + [address]).joined(separator: ", ")
        }
        self.fields = fields
    }

    /// Its method promises to change nothing.
    var isSafe: Bool { [.get, .head, .options].contains(request.method) }

    var isHead: Bool { request.method == .head }

    func outgoing(to port: UInt16) -> ClientRequest {
        let query = request.query.isEmpty ? "" : "?" + request.query
        return ClientRequest(
            request.method, url: "http://127.0.0.1:\(port)\(request.path)\(query)", fields: fields, body: request.body)
    }

    /// A line for the record.
    ///
    /// - Parameter status: what the account says of it.
    func recording(_ answer: Response, status: String, _ settings: PlatformSettings, at: Timestamp) -> Recording {
        var sent = request
        sent.fields = fields
        return Recording(
            request: sent, control: control, id: id, function: settings.functionName, at: at, answer: answer,
            outcome: status == "ok" ? "response" : status)
    }
}
