import Foundation
import JSON
import Testing

/// The executable over real sockets, seen by a client that reads bytes.
@Suite struct FakeProviderProcessTests {
    private static let call = "/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s"

    @Test func `it prints one line, answers, and ends cleanly on SIGTERM`() throws {
        let provider = try FakeProviderProcess(["--app", "wx1=s", "--life", "600"])
        let answer = try provider.connect().request("GET", Self.call)
        #expect(try Value(parsing: answer.body)["expires_in"] == 600)
        #expect(try provider.connect().request("GET", "/").text.contains("wx1"))
        let (status, survivors) = provider.session.stop()
        #expect(status == 0)
        #expect(survivors.isEmpty)
        #expect(provider.session.output == "fake-provider listening on http://127.0.0.1:\(provider.port)\n")
    }

    @Test(arguments: [["--port", "x"], ["--app", "=s"], ["--life", "0"], ["--nonsense"], ["--port"]])
    func `a wrong option is one clear line and exit code 2`(arguments: [String]) throws {
        let program = LocalPlatform.products.appending(path: "fake-provider").path(percentEncoded: false)
        let session = try ProcessSession(program, arguments, environment: [:], output: ScratchFolder.make() + "/output")
        #expect(session.waitForLine(beginning: "usage:", within: 60))
        #expect(session.stop().status == 2)
    }

    @Test func `with its parent gone it goes too`() throws {
        let provider = try FakeProviderProcess(["--with-parent"], shell: "\"$0\" \"$@\" & wait")
        defer { _ = provider.session.stop() }
        kill(provider.session.pid, SIGKILL)
        #expect(wait { (try? provider.connect()) == nil })
    }

    @Test func `every fault is what it says on the wire`() throws {
        let provider = try FakeProviderProcess()
        defer { _ = provider.session.stop() }

        for fault in ["reset", "reset-after-mint"] {
            try provider.plan(fault)
            #expect(throws: RawHTTPConnection.Failure.reset) { try provider.connect().request("GET", Self.call) }
        }
        try provider.plan("status-500")
        #expect(try provider.connect().request("GET", Self.call).status == 500)
        try provider.plan("redirect")
        let redirect = try provider.connect().request("GET", Self.call)
        #expect(redirect.status == 302)
        #expect(redirect["Location"] == "/elsewhere")
        try provider.plan("broken-json")
        #expect(throws: ParseError.self) { try Value(parsing: provider.connect().request("GET", Self.call).body) }
        try provider.plan("empty")
        let empty = try provider.connect().request("GET", Self.call)
        #expect(empty.status == 200)
        #expect(empty.body.isEmpty)
        try provider.plan("over-long")
        #expect(try provider.connect().request("GET", Self.call).body.count > 256 << 10)
        try provider.plan("truncated")
        let truncated = try provider.connect()
        try truncated.send("GET \(Self.call) HTTP/1.1\r\nHost: t\r\n\r\n")
        let text = try String(decoding: truncated.readToEnd(), as: UTF8.self)
        let length = try #require(text.firstMatch(of: /(?i)content-length: (\d+)/).flatMap { Int($0.1) })
        let body = try #require(text.split(separator: "\r\n\r\n").last)
        #expect(body.hasPrefix(#"{"access_token":"#))
        #expect(body.utf8.count == length / 2)
        try provider.plan("delay", delay: 300)
        let begin = ContinuousClock.now
        #expect(try provider.connect().request("GET", Self.call).status == 200)
        #expect(ContinuousClock.now - begin >= .milliseconds(300))
        try provider.plan("hang")
        let hanging = try RawHTTPConnection(port: provider.port, timeout: 1)
        #expect(throws: RawHTTPConnection.Failure.timeout) { try hanging.request("GET", Self.call) }
        // It is this one that it holds, and not the next.
        #expect(try wait { try provider.counters()["faults_due"] == [] })
        #expect(try provider.connect().request("GET", Self.call).status == 200)

        // The six that mint, and the last call.
        let counters = try provider.counters()
        #expect(counters["minted"] == 7)
        #expect(counters["calls"] == 11)
        #expect(counters["faults_due"] == [])
    }

    @Test func `no descriptor is left behind by clients that come, wait, break and go`() throws {
        let provider = try FakeProviderProcess()
        defer { _ = provider.session.stop() }
        _ = try provider.connect().request("GET", "/")
        let before = try provider.openFiles.count
        for round in 0..<150 {
            let client = try provider.connect()
            switch round % 3 {
            case 0: _ = try client.request("GET", Self.call)
            case 1:
                try client.send("GET /cgi-bin/to")
                usleep(5_000)
            default:
                try provider.plan(round % 2 == 0 ? "reset" : "truncated")
                _ = try? client.request("GET", Self.call)
            }
        }
        // An end that arrives together with the bytes before it is overlooked by the library; the request's deadline of
        // 30 s, or the 75 s between requests, then closes the connection.
        let end = ContinuousClock.now + .seconds(90)
        while try provider.openFiles.count > before, .now < end { usleep(10_000) }
        let after = try provider.openFiles
        #expect(after.count <= before, "\(after)")
    }
}
