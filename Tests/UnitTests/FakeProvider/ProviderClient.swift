import Clocks
import FakeProvider
import HTTP

/// A client whose every request is answered by one provider simulator, at the time that a clock says.
final class ProviderClient: HTTP.Client {
    private var provider: Provider
    private let clock: any Clock
    private(set) var calls = 0

    init(_ settings: Settings, clock: any Clock) {
        provider = Provider(settings: settings)
        self.clock = clock
    }

    func send(
        _ request: ClientRequest, limits: ClientLimits, willSend: () -> Bool, didSend: () -> Void
    ) throws(ClientError) -> ClientResponse {
        guard let url = try? HTTP.URL(parsing: request.url) else { throw .notSent(.badURL) }
        guard willSend() else { throw .notSent(.stopped) }
        calls += 1
        didSend()
        let sent = Request(
            request.method, path: url.path, query: url.query ?? "", fields: request.fields, body: request.body)
        guard let response = provider.handle(sent, now: clock.now().wall).response else { throw .ambiguous(.reset) }
        return ClientResponse(response.status, fields: response.fields, body: response.body)
    }
}
