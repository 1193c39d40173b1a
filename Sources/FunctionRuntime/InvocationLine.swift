internal import HTTP
internal import Log

/// The one log line of an invocation.
///
/// No query is ever in it, no path and no word for a method that the caller invented: secrets travel there, by mistake too.
struct InvocationLine {
    private let id: String
    private let isCold: Bool
    private var gatewayID: String?
    private var method: Method?
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
        self.method = method
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
        logger.log(level, "invocation") { line in
            line.member("request_id", .string(id))
            if let gatewayID { line.member("gateway_request_id", .string(gatewayID)) }
            if let method { line.member("method", .string(Self.methods.contains(method) ? method.rawValue : "-")) }
            // A route says what a path says without what the caller put in it; where there is none, its length must do.
            if let path, !notes.contains(where: { $0.name == "route" }) {
                let isPlatforms = Self.platformPaths.contains(path)
                line.member("route", .string(isPlatforms ? path : "-"))
                if !isPlatforms { line.member("path_bytes", .integer(Int64(path.utf8.count))) }
            }
            if let job { line.member("job", .string(job)) }
            if let status { line.member("status", .integer(Int64(status))) }
            for note in notes { line.member(note.name, .string(note.value)) }
            if let error {
                line.member("error_type", .string(error.type))
                line.member("detail", .string(error.message))
            }
            switch delivery {
            case .success(.accepted): break
            case .success(.refused(let status)): line.member("delivery_status", .integer(Int64(status)))
            case .failure(let error): line.member("delivery", .string(error.description))
            }
            if let took { line.member("ms", .milliseconds(took)) }
            line.member("cold", .bool(isCold))
            if let left { line.member("ms_left", .milliseconds(left)) }
        }
    }

    /// What the platform itself asks for.
    private static let platformPaths: Set = ["/invoke", "/initialize", "/pre-stop", "/pre-freeze"]
    private static let methods: [Method] = [.get, .head, .post, .put, .delete, .patch, .options]

    private func level(_ delivery: Result<Delivery, RuntimeAPIError>) -> Logger.Level {
        if error != nil { return .error }
        if case .success(.accepted) = delivery { return .info }
        return .warn
    }
}
