internal import HTTP
internal import Log

/// The one log line of an invocation.
///
/// No query is ever in it: secrets travel there.
struct InvocationLine {
    /// Bytes of a path that are shown; the rest is the caller's to invent.
    private static let pathLimit = 200

    private let id: String
    private let isCold: Bool
    private var gatewayID: String?
    private var method: String?
    private var path: String?
    private var job: String?
    private var status: Int?
    private var notes: [(name: String, value: String)] = []
    private var error: FunctionError?

    init(_ id: String, isCold: Bool) {
        self.id = id
        self.isCold = isCold
    }

    mutating func note(gatewayID: String, method: Method, path: String) {
        self.gatewayID = gatewayID.isEmpty || gatewayID == id ? nil : gatewayID
        self.method = method.rawValue
        self.path = path
    }

    mutating func note(job: String?) {
        self.job = job ?? "schedule"
    }

    mutating func note(_ response: Response) {
        status = response.status.code
        notes = response.notes
    }

    mutating func note(_ error: FunctionError) {
        self.error = error
    }

    func write(to logger: Logger, took: Duration?, left: Duration?, delivery: Result<Delivery, RuntimeAPIError>) {
        let level = level(delivery)
        guard level >= logger.level else { return }
        var members: [(String, Logger.Value)] = [("request_id", .string(id))]
        members.reserveCapacity(12 + notes.count)
        if let gatewayID { members.append(("gateway_request_id", .string(gatewayID))) }
        if let method { members.append(("method", .string(method))) }
        // A route says what a path says without what the caller put in it.
        if let path, !notes.contains(where: { $0.name == "route" }) {
            members.append(("path", .string(String(decoding: path.utf8.prefix(Self.pathLimit), as: UTF8.self))))
        }
        if let job { members.append(("job", .string(job))) }
        if let status { members.append(("status", .integer(Int64(status)))) }
        for note in notes { members.append((note.name, .string(note.value))) }
        if let error {
            members.append(("error_type", .string(error.type)))
            members.append(("detail", .string(error.message)))
        }
        switch delivery {
        case .success(.accepted): break
        case .success(.refused(let status)): members.append(("delivery_status", .integer(Int64(status))))
        case .failure(let error): members.append(("delivery", .string(error.description)))
        }
        if let took { members.append(("ms", .milliseconds(took))) }
        members.append(("cold", .bool(isCold)))
        if let left { members.append(("ms_left", .milliseconds(left))) }
        logger.log(level, "invocation", members)
    }

    private func level(_ delivery: Result<Delivery, RuntimeAPIError>) -> Logger.Level {
        if error != nil { return .error }
        if case .success(.accepted) = delivery { return .info }
        return .warn
    }
}
