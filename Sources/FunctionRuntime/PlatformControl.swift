internal import HTTP
internal import Synchronization

/// What Function Compute wants by a request to a function that serves HTTP itself.
///
/// It says so in `x-fc-control-path`, which it sets itself on every request; a path is the caller's to choose.
/// https://www.alibabacloud.com/help/en/functioncompute/fc-3-0/user-guide/custom-runtime
enum PlatformControl {
    /// A caller's request.
    case request
    /// A timer, or whoever else invokes the function with an event.
    case event
    case initialize
    /// The instance is about to end.
    case preStop
    /// A caller's request to a path that is the platform's.
    case outside
    /// The platform wants what is not known here.
    case unknown
    /// The field is there more than once: one of them is not the platform's.
    case ambiguous

    init(_ request: borrowing Request) {
        let paths = request.fields.values(.fcControlPath)
        guard paths.count <= 1 else {
            self = .ambiguous
            return
        }
        switch paths.first {
        case nil, "/http-invoke":
            switch request.path {
            case "/invoke", "/initialize", "/pre-stop", "/pre-freeze": self = .outside
            default: self = .request
            }
        case "/invoke": self = .event
        case "/initialize": self = .initialize
        case "/pre-stop": self = .preStop
        default: self = .unknown
        }
    }
}

/// The id of a request: the platform's; one of our own for who runs the function by hand.
enum RequestID {
    private static let count = Atomic<UInt64>(0)
    /// Of this process; drawn once, since drawing is a system call.
    ///
    /// Fifteen bytes at most: such a text lies in no memory whose references threads would count together.
    private static let prefix = String(UInt64.random(in: .min ... .max), radix: 36) + "-"
    /// The platform's have some forty characters.
    private static let longest = 128

    static func of(_ request: Request) -> String {
        if let id = request.fields[.fcRequestID], !id.isEmpty, id.utf8.count <= longest,
            id.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        {
            return id
        }
        return prefix + String(count.add(1, ordering: .relaxed).newValue)
    }
}

extension Field.Name {
    static let fcRequestID = known("x-fc-request-id")
    /// `404` where the platform shall count a failure of the function.
    static let fcStatus = known("x-fc-status")
    fileprivate static let fcControlPath = known("x-fc-control-path")

    private static func known(_ name: String) -> Field.Name {
        guard let known = Field.Name(name) else { preconditionFailure("\(name) is no field name") }
        return known
    }
}
