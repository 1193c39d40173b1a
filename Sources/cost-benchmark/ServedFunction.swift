internal import Curl
internal import Glibc
internal import HTTP
internal import Synchronization

/// One instance of a function as Function Compute starts it: it serves HTTP, and its log goes to a file.
final class ServedFunction {
    let url: String
    let process: Child
    private let log: String

    init(_ name: String, programs: String, scratch: String, _ settings: [String]) throws {
        log = "\(scratch)/\(name).log"
        let port = Port.next()
        // The first of two values would count.
        let authorization = settings.contains { $0.hasPrefix("AUTH=") } ? [] : ["AUTH=none"]
        process = try Child(
            "\(programs)/\(name)", [],
            environment: [
                "FC_FUNCTION_NAME=\(name)", "FC_CUSTOM_LISTEN_PORT=\(port)",
                "MASTER_KEYS=\(try BenchmarkKeys.text())",
            ] + authorization + settings, file: log)
        url = "http://127.0.0.1:\(port)"
        try Port.waitUntilServing(url + "/pong", log: log)
    }

    /// Empties the log, which a load fills with a line for each request.
    func forgetLog() {
        _ = unsafe truncate(log, 0)
    }

    /// Requests that it answered since then, by its log; it has written the last line when it has nothing more to do.
    var answered: Int {
        var count = -1
        while case let now = TextFile.lines(log), now != count {
            count = now
            pause(.milliseconds(200))
        }
        return count
    }

    var lines: [Substring] { TextFile.read(log).split(separator: "\n") }

    func token(_ key: String) -> String { "\(url)/api/token?realm=bench&key=\(key)" }
}

/// The realm `bench`, whose keys are their own app ids.
enum BenchmarkRealm {
    static func register(keys: [String], provider: String, at server: String) throws {
        let realm = """
            {"id":"bench","config":{"url":"\(provider)/cgi-bin/token","arguments":[
              {"name":"appid","place":"url","value":"$key_1"},{"name":"secret","place":"url","value":"s"},
              {"name":"grant_type","place":"url","value":"client_credential"}],
             "token_path":"access_token","expires_in_path":"expires_in"}}
            """
        try send(.post, server + "/api/realm", realm)
        for key in keys {
            try send(.post, server + "/api/secret", #"{"realm":"bench","key":"\#(key)","key_1":"\#(key)"}"#)
        }
    }
}

/// The provider that the benchmark's realm asks.
final class BenchmarkProvider {
    let address: String
    private let process: Child

    init(programs: String) throws {
        process = try Child("\(programs)/fake-provider", ["--port", "0"])
        let prefix = "fake-provider listening on http://"
        guard let line = process.readLine(), line.hasPrefix(prefix) else {
            throw BenchmarkFailure(description: "the fake provider does not start")
        }
        address = String(line.dropFirst(prefix.count))
        process.discardOutput()
    }

    func register(keys: [String], at server: String) throws {
        try BenchmarkRealm.register(keys: keys, provider: "http://" + address, at: server)
    }

    /// Lets every call from now on hang, or none.
    func hang(_ hangs: Bool) throws {
        let url = "http://\(address)/_fake-provider/faults"
        if hangs {
            _ = try send(.post, url, #"{"endpoint":"/cgi-bin/token","fault":"hang","times":1000000}"#)
        } else {
            _ = try send(.delete, url)
        }
    }
}

/// Sends one request; the answer's body.
@discardableResult
func send(_ method: HTTP.Method, _ url: String, _ body: String = "") throws -> [UInt8] {
    var fields = Fields()
    if !body.isEmpty { fields.append(.contentType, "application/json") }
    let request = ClientRequest(method, url: url, fields: fields, body: Array(body.utf8))
    let limits = ClientLimits(total: .seconds(30), responseBytes: 8 << 20)
    let response = try CurlClient().send(request, limits: limits, willSend: { true }, didSend: {})
    guard response.status.isSuccess else {
        throw BenchmarkFailure(description: "\(url): \(response.status.code)")
    }
    return response.body
}

/// Ports of this machine that nobody else is likely to have.
enum Port {
    private static let count = Atomic(0)

    static func next() -> Int {
        20_000 + (Int(getpid()) * 16 + count.add(1, ordering: .relaxed).newValue) % 12_000
    }

    /// - Parameter log: what is shown when nobody serves.
    static func waitUntilServing(_ url: String, log: String) throws {
        for _ in 0..<1_000 {
            if (try? send(.get, url)) != nil { return }
            pause(.milliseconds(10))
        }
        throw BenchmarkFailure(description: "\(url) is not served: \(TextFile.read(log))")
    }
}

/// One line for whoever waits.
func progress(_ text: String) {
    let bytes = Array(("cost-benchmark: " + text + "\n").utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

func pause(_ time: Duration) {
    usleep(UInt32(time / .microseconds(1)))
}
