internal import Clocks

/// A client of the Lambda Runtime API on one kept connection.
///
/// One value belongs to one worker. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package final class RuntimeClient: InvocationSource {
    private static let prefix = "/2018-06-01/runtime/"

    private let endpoint: Endpoint
    private let nextRequest: [UInt8]
    private var connection: Connection?
    private var reader = MessageReader()
    private var requestHead: [UInt8] = []

    init(_ endpoint: Endpoint) {
        self.endpoint = endpoint
        nextRequest = RuntimeClient.nextRequest(to: endpoint)
    }

    /// - Parameter address: the value of `AWS_LAMBDA_RUNTIME_API`; nil where it is no `host:port`.
    package convenience init?(address: String) {
        guard let endpoint = Endpoint(address) else { return nil }
        self.init(endpoint)
    }

    /// On a socket that is connected already, which it owns; where that breaks, no other is opened.
    package init(connectedBy descriptor: Int32) {
        endpoint = .nowhere
        nextRequest = RuntimeClient.nextRequest(to: endpoint)
        connection = Connection(owning: descriptor)
    }

    package var event: ArraySlice<UInt8> { reader.body }

    package func next() throws(RuntimeAPIError) -> Invocation? {
        let head = try exchange(nextRequest, [])
        guard head.status == 200 else { throw .refused(status: head.status) }
        guard let id = head.requestID else { throw .malformed(.missingRequestID) }
        return Invocation(id: id, deadline: head.deadlineMilliseconds.map { Timestamp(milliseconds: $0) })
    }

    /// Hands over the answer.
    ///
    /// Where a kept connection turns out to be broken it is sent once more on a new one: should the platform have had it,
    /// it refuses the second.
    package func respond(to id: String, with body: [UInt8]) throws(RuntimeAPIError) -> Delivery {
        startRequest("invocation/\(id)/response", bodyCount: body.count)
        return try deliver(body)
    }

    package func fail(_ id: String, with error: FunctionError) throws(RuntimeAPIError) -> Delivery {
        try report(error, to: "invocation/\(id)/error")
    }

    /// Reports that the function cannot start; the process ends after it.
    package func failInit(with error: FunctionError) throws(RuntimeAPIError) -> Delivery {
        try report(error, to: "init/error")
    }

    private static func nextRequest(to endpoint: Endpoint) -> [UInt8] {
        Array(
            "GET \(prefix)invocation/next HTTP/1.1\r\nHost: \(endpoint.authority)\r\nUser-Agent: token-server\r\n\r\n"
                .utf8)
    }

    private func report(_ error: FunctionError, to path: String) throws(RuntimeAPIError) -> Delivery {
        let body = error.body
        startRequest(path, bodyCount: body.count, errorType: error.type)
        return try deliver(body)
    }

    private func deliver(_ body: [UInt8]) throws(RuntimeAPIError) -> Delivery {
        let status = try exchange(requestHead, body).status
        return (200..<300).contains(status) ? .accepted : .refused(status: status)
    }

    private func startRequest(_ path: String, bodyCount: Int, errorType: String? = nil) {
        requestHead.removeAll(keepingCapacity: true)
        func append(_ text: String) { requestHead.append(contentsOf: text.utf8) }
        append("POST ")
        append(Self.prefix)
        append(path)
        append(" HTTP/1.1\r\nHost: ")
        append(endpoint.authority)
        append("\r\nUser-Agent: token-server\r\nContent-Type: application/json\r\n")
        if let errorType {
            append("Lambda-Runtime-Function-Error-Type: ")
            append(errorType)
            append("\r\n")
        }
        append("Content-Length: ")
        append(String(bodyCount))
        append("\r\n\r\n")
    }

    /// Sends one request and reads its response; a kept connection that the peer has closed is opened again, once.
    private func exchange(_ head: [UInt8], _ body: [UInt8]) throws(RuntimeAPIError) -> MessageHead {
        let isKept = connection != nil
        do throws(RuntimeAPIError) {
            return try exchangeOnce(head, body)
        } catch .disconnected {
            guard isKept, !reader.hasReceived else { throw .disconnected }
        }
        return try exchangeOnce(head, body)
    }

    private func takeConnection() throws(RuntimeAPIError) -> Connection {
        if let kept = connection.take() { return kept }
        return try Connection(to: endpoint)
    }

    private func exchangeOnce(_ head: [UInt8], _ body: [UInt8]) throws(RuntimeAPIError) -> MessageHead {
        reader.reset()
        let connection = try takeConnection()
        let wasSent: Bool
        do throws(RuntimeAPIError) {
            try connection.send(head, body)
            wasSent = true
        } catch {
            // A peer that refuses a large body answers and closes before it has read it all.
            wasSent = false
        }
        let response = try reader.read(from: connection)
        if wasSent, response.keepsAlive { self.connection = consume connection }
        if response.status == 500 { throw .containerError }
        return response
    }
}
