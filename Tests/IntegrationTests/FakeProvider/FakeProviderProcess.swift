import Foundation
import JSON
import Testing

/// The `fake-provider` executable, running.
final class FakeProviderProcess {
    let session: ProcessSession
    let port: UInt16

    /// - Parameter shell: a script in which `$0` is the executable, to start it in another way than by itself.
    init(_ arguments: [String] = [], shell: String? = nil) throws {
        let program = LocalPlatform.products.appending(path: "fake-provider").path(percentEncoded: false)
        let output = try ScratchFolder.make() + "/output"
        session =
            if let shell {
                try ProcessSession("/bin/sh", ["-c", shell, program] + arguments, environment: [:], output: output)
            } else {
                try ProcessSession(program, arguments, environment: [:], output: output)
            }
        let isReady = session.waitForLine(beginning: "fake-provider listening on http://127.0.0.1:", within: 60)
        port = session.output.split(separator: ":").last.flatMap { UInt16($0.trimmingCharacters(in: .newlines)) } ?? 0
        if !isReady || port == 0 {
            _ = session.stop()
            throw RawHTTPConnection.Failure.connect
        }
    }

    func connect() throws -> RawHTTPConnection { try RawHTTPConnection(port: port) }

    /// Asks for one fault of the classic token endpoint.
    func plan(_ fault: String, delay: Int = 0) throws {
        let body = #"{"endpoint":"/cgi-bin/token","fault":"\#(fault)","delay_ms":\#(delay)}"#
        #expect(try connect().request("POST", "/_fake-provider/faults", body: body).status == 204)
    }

    func counters() throws -> Value {
        try Value(parsing: connect().request("GET", "/_fake-provider/counters").body)
    }

    var openFiles: [String] {
        get throws {
            let folder = "/proc/\(session.pid)/fd/"
            // What was closed since the folder was listed is open no more.
            return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: folder + $0)
            }
        }
    }
}
