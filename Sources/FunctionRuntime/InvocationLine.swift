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
        logger.log(level, "invocation") { line in
            line.member("request_id", .string(id))
            if let gatewayID { line.member("gateway_request_id", .string(gatewayID)) }
            if let method { line.member("method", .string(method)) }
            // A route says what a path says without what the caller put in it.
            if let path, !notes.contains(where: { $0.name == "route" }) {
                line.member("path", .string(shown(path)))
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

    /// The path up to whatever could begin a query, also where its beginning was encoded by mistake.
    private func shown(_ path: String) -> String {
        if path.utf8.count <= Self.pathLimit, !path.utf8.contains(where: { Self.isMark($0) }) { return path }
        let bytes = Array(path.utf8.prefix(Self.pathLimit))
        let end = bytes.indices.first { at in
            guard Self.isMark(bytes[at]) else { return false }
            return bytes[at] != UInt8(ascii: "%")
                || Self.encodedMarks.contains { bytes[(at + 1)...].starts(with: $0.utf8) }
        }
        return String(decoding: bytes[..<(end ?? bytes.endIndex)], as: UTF8.self)
    }

    private static func isMark(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "%"), UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "&"), UInt8(ascii: "#"): true
        default: false
        }
    }

    /// `?`, `;`, `=`, `&` and `#` behind a percent sign, and a percent sign that was encoded itself.
    private static let encodedMarks = ["3F", "3f", "3B", "3b", "3D", "3d", "26", "23", "25"]

    private func level(_ delivery: Result<Delivery, RuntimeAPIError>) -> Logger.Level {
        if error != nil { return .error }
        if case .success(.accepted) = delivery { return .info }
        return .warn
    }
}
