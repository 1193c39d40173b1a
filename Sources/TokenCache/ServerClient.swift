internal import Clocks
internal import HTTP

/// Passes requests to the token server.
final class ServerClient {
    private let client: any HTTP.Client
    /// Without a slash at its end.
    private let server: String
    private let clock: any Clock

    /// Longer than the server waits for another's refresh.
    private static let longestCall = Duration.seconds(15)
    /// A list of a hundred realms with long recipes.
    private static let largestAnswer = 6 << 20

    init(_ client: any HTTP.Client, _ server: HTTP.URL, _ clock: any Clock) {
        self.client = client
        var text = server.text()
        while text.hasSuffix("/") { text.removeLast() }
        self.server = text
        self.clock = clock
    }

    func send(_ request: Request) throws(ClientError) -> ClientResponse {
        var fields = Fields()
        for field in request.fields where ServerClient.passedFields.contains(field.name) {
            fields.append(field.name, field.value)
        }
        let way = request.forwardedFor
        if !way.isEmpty { fields[.forwardedFor] = way }
        var limits = ClientLimits(total: ServerClient.longestCall, responseBytes: ServerClient.largestAnswer)
        if let deadline = request.deadline {
            // What is left is for the caller's own answer.
            limits.total = max(
                .milliseconds(100), min(limits.total, clock.now().timeLeft(until: deadline) - .milliseconds(300)))
        }
        let query = request.query.isEmpty ? "" : "?" + request.query
        let outgoing = ClientRequest(
            request.method, url: server + request.path + query, fields: fields, body: request.body)
        return try client.send(outgoing, limits: limits, willSend: { true }, didSend: {})
    }

    private static let passedFields: Set<Field.Name> = [
        .authorization, .contentType, .accept, .ifNoneMatch, .userAgent, .forwardedFor,
    ]
}
