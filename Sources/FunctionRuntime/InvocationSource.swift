package import Clocks

/// Where a loop's invocations come from and where their answers go.
///
/// The platform's is `RuntimeClient`; a test's is finite.
package protocol InvocationSource: AnyObject {
    /// Waits for the next invocation, however long; nil where there will be none.
    func next() throws(RuntimeAPIError) -> Invocation?

    /// The bytes of the current invocation's event; only valid until the next call.
    var event: ArraySlice<UInt8> { get }

    /// Hands over the answer to an invocation.
    func respond(to id: String, with body: [UInt8]) throws(RuntimeAPIError) -> Delivery

    /// Reports that an invocation failed.
    func fail(_ id: String, with error: FunctionError) throws(RuntimeAPIError) -> Delivery
}

/// What the platform says about an invocation, beside its event.
package struct Invocation: Sendable, Equatable {
    package let id: String
    /// When the platform ends the invocation, by the wall clock; nil where it does not say.
    package let deadline: Timestamp?

    package init(id: String, deadline: Timestamp?) {
        self.id = id
        self.deadline = deadline
    }
}

/// What became of an answer.
package enum Delivery: Sendable, Equatable {
    case accepted
    /// The platform did not take it: 400 or 403 for a wrong id or order, 410 for one too late, 413 for its size.
    case refused(status: Int)
}

/// Why one exchange with the Runtime API gave no usable answer.
package enum RuntimeAPIError: Error, Sendable, Equatable {
    /// No connection: the platform is gone.
    case unreachable(code: Int32)
    /// The connection broke before a whole answer came.
    case disconnected
    /// What came is no HTTP, or not what the API promises.
    case malformed(Malformed)
    /// An event larger than the platform may send; it was not read, the invocation of this id must be failed.
    case eventTooLarge(id: String)
    /// 500: the process has to end (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
    case containerError
    /// Any other status that promises nothing.
    case refused(status: Int)

    package enum Malformed: String, Sendable {
        case statusLine = "the status line is not HTTP"
        case field = "a header field is broken"
        case length = "the length of the body is contradictory"
        case headTooLarge = "the head is too large"
        case bodyTooLarge = "the body is too large"
        case chunk = "a chunk is broken"
        case missingRequestID = "the request id is missing"
    }
}

extension RuntimeAPIError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let code): "the Runtime API cannot be reached (error \(code))"
        case .disconnected: "the Runtime API broke the connection"
        case .malformed(let what): what.rawValue
        case .eventTooLarge: FunctionError.eventTooLarge.message
        case .containerError: "the Runtime API answered 500"
        case .refused(let status): "the Runtime API answered \(status)"
        }
    }
}
