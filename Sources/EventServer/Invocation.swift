internal import Clocks
internal import HTTP
internal import Synchronization

/// What became of an invocation, before it is shaped into an HTTP answer.
package enum InvocationResult: Sendable {
    case response([UInt8])
    /// The function reported an error of this type, with this JSON body.
    case functionError(type: String, body: [UInt8])
    /// The platform ended it: timeout, crash, failed init, too large a response.
    case platformError(PlatformError)
}

package struct PlatformError: Sendable {
    package enum Kind: String, Sendable {
        case timeout = "Sandbox.Timedout"
        case crash = "Runtime.ExitError"
        case initFailed = "Runtime.InitError"
        case responseTooLarge = "Function.ResponseSizeTooLarge"
        case throttled = "TooManyRequestsException"
        /// No loop of a managed instance is free.
        case unavailable = "Runtime.Unavailable"
        case queueTimeout = "ServiceUnavailable"
        case stopped = "ServiceStopped"
    }

    package var kind: Kind
    package var detail: String
    /// The last lines that the function wrote.
    package var log: [String] = []

    /// What Lambda says of a process that ended by itself.
    ///
    /// - Parameter code: its exit code, or 128 and the signal that ended it.
    static func exit(_ code: Int32) -> String {
        switch code {
        case 0: "Runtime exited without providing a reason"
        case 129...: "Runtime exited with error: signal: \(code - 128)"
        default: "Runtime exited with error: exit status \(code)"
        }
    }
}

/// One event on its way through the platform.
///
/// Everything that changes is guarded by the platform's lock.
final class Invocation: @unchecked Sendable {
    let id: String
    let event: [UInt8]
    let cameAt: Moment
    private let completion: @Sendable (InvocationResult) -> Void

    // Written under the platform's lock alone.
    var startedAt: Moment?
    var deadline: Moment?
    var initDuration: Duration?
    var isAnswered = false
    var status = "ok"

    init(id: String, event: [UInt8], cameAt: Moment, completion: @escaping @Sendable (InvocationResult) -> Void) {
        self.id = id
        self.event = event
        self.cameAt = cameAt
        self.completion = completion
    }

    /// Call it outside the lock: it writes to a connection.
    func complete(_ result: InvocationResult) {
        completion(result)
    }
}
