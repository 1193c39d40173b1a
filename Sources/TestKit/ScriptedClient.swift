package import HTTP

/// A client that answers from a list and records what it was asked to send.
package final class ScriptedClient: Client {
    package typealias Answer = Result<ClientResponse, ClientError>

    /// Requests that were let go, in order.
    package private(set) var requests: [ClientRequest] = []
    /// The limits of every call, sent or not.
    package private(set) var limits: [ClientLimits] = []
    private var answers: ArraySlice<Answer>

    /// - Parameter answers: one for each call, in order; calls beyond the last find no connection.
    package init(_ answers: [Answer]) {
        self.answers = answers[...]
    }

    package convenience init(_ status: Int, _ body: String, fields: Fields = Fields()) {
        self.init([.success(ClientResponse(Status(code: status), fields: fields, body: Array(body.utf8)))])
    }

    /// Behaves as a client does: a call whose answer is `.notSent` looks at nothing and sends nothing.
    package func send(
        _ request: ClientRequest, limits: ClientLimits, willSend: () -> Bool, didSend: () -> Void
    ) throws(ClientError) -> ClientResponse {
        self.limits.append(limits)
        let answer = answers.popFirst() ?? .failure(.notSent(.connect))
        if case .failure(.notSent(let reason)) = answer { throw .notSent(reason) }
        guard willSend() else { throw .notSent(.stopped) }
        requests.append(request)
        didSend()
        return try answer.get()
    }
}
