import Clocks
import FakeProvider
import HTTP
import JSON
import Testing

/// A provider with a clock that stands still until it is told to go on.
struct ProviderBench {
    private var provider: Provider
    private(set) var now = Timestamp(milliseconds: 1_800_000_000_000)

    init(_ settings: Settings = Settings()) {
        provider = Provider(settings: settings)
    }

    mutating func wait(_ duration: Duration) {
        now = now + duration
    }

    mutating func send(_ request: Request) -> Reply {
        provider.handle(request, now: now)
    }

    /// The JSON of the answer to a call.
    mutating func call(
        _ method: HTTP.Method, _ path: String, query: String = "", fields: Fields = Fields(), body: String = "",
        from address: String? = "192.0.2.1"
    ) throws -> Value {
        let request = Request(
            method, path: path, query: query, fields: fields, body: Array(body.utf8), sourceAddress: address)
        let response = try #require(send(request).response)
        return try response.body.isEmpty ? .null : Value(parsing: response.body)
    }

    mutating func classic(_ id: String = "wx1", secret: String = "s", from address: String? = "192.0.2.1") throws
        -> Value
    {
        try call(
            .get, "/cgi-bin/token", query: "grant_type=client_credential&appid=\(id)&secret=\(secret)", from: address)
    }

    mutating func stable(_ id: String = "wx1", force: Bool? = nil) throws -> Value {
        let forced = force.map { ",\"force_refresh\":\($0)" } ?? ""
        return try call(
            .post, "/cgi-bin/stable_token",
            body: #"{"grant_type":"client_credential","appid":"\#(id)","secret":"s"\#(forced)}"#)
    }

    mutating func isAlive(_ token: String) throws -> Bool {
        try call(.get, "/_fake-provider/token", query: "token=\(token)")["alive"] == true
    }
}

extension Value {
    /// The token of a token answer.
    var accessToken: String {
        get throws { try #require(self["access_token"]?.string) }
    }

    var errcode: Int64? { self["errcode"]?.number?.integer }
}
