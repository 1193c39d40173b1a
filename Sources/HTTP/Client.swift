/// A request to a server elsewhere.
package struct ClientRequest: Sendable {
    package var method: Method
    /// Absolute, percent-encoded.
    package var url: String
    package var fields: Fields
    package var body: [UInt8]

    package init(_ method: Method, url: String, fields: Fields = Fields(), body: [UInt8] = []) {
        self.method = method
        self.url = url
        self.fields = fields
        self.body = body
    }
}

package struct ClientResponse: Sendable {
    package var status: Status
    package var fields: Fields
    package var body: [UInt8]

    package init(_ status: Status, fields: Fields = Fields(), body: [UInt8] = []) {
        self.status = status
        self.fields = fields
        self.body = body
    }
}

package struct ClientLimits: Sendable {
    /// From the start of the call to the last byte of the answer.
    package var total: Duration
    package var connect: Duration
    package var responseBytes: Int

    package init(total: Duration = .seconds(5), connect: Duration = .seconds(2), responseBytes: Int = 64 << 10) {
        self.total = total
        self.connect = connect
        self.responseBytes = responseBytes
    }
}

/// Why a call gave no complete answer.
///
/// What matters is whether the server may have acted on it.
package enum ClientError: Error, Sendable, Equatable {
    /// No byte of the request was sent.
    case notSent(NotSent)
    /// Bytes were sent and no complete answer came back; the server may have acted.
    case ambiguous(Ambiguous)

    package enum NotSent: String, Sendable {
        case badURL = "the URL cannot be used"
        case refusedAddress = "the address is not allowed"
        case resolve = "the name does not resolve"
        case connect = "no connection"
        case connectTimeout = "no connection in time"
        case tls = "TLS failed"
        case stopped = "the caller stopped it"
        case library = "the HTTP library is not usable"
    }

    package enum Ambiguous: String, Sendable {
        case timeout = "no complete answer in time"
        case reset = "the connection broke"
        case truncated = "the answer was cut short"
        case tooLarge = "the answer is too large"
        case malformed = "the answer is not HTTP"
    }
}

/// An HTTP client that blocks.
///
/// One value belongs to one worker.
package protocol Client: AnyObject {
    /// Sends one request; follows no redirect.
    ///
    /// - Parameters:
    ///   - willSend: called once when the connection stands and nothing has been sent; false ends the call as
    ///     `.notSent(.stopped)`.
    ///   - didSend: called once when the request has been handed to the socket.
    func send(
        _ request: ClientRequest, limits: ClientLimits, willSend: () -> Bool, didSend: () -> Void
    ) throws(ClientError) -> ClientResponse
}
