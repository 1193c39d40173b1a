import Foundation
import Testing

/// The harness itself, on scripts in the place of the platform: a harness that cannot fail would prove nothing.
@Suite struct LocalPlatformTests {
    private static let wellBehaved = """
        sleep 60 &
        trap 'kill $!; exit 0' TERM
        echo "token-server   http://127.0.0.1:40001/"
        echo "fake-provider  http://127.0.0.1:40002"
        echo "ready"
        wait
        """

    @Test func `the announced URLs are given once the ready line is there`() throws {
        try withPrograms(Self.wellBehaved) { programs in
            try LocalPlatform.run(programs: programs) { platform in
                #expect(platform.url == "http://127.0.0.1:40001")
                #expect(platform.provider == "http://127.0.0.1:40002")
                #expect(platform.process.members.count == 2)
            }
        }
    }

    @Test func `arguments and settings reach the platform`() throws {
        let script = #"echo "$* AUTH=$AUTH""# + "\n" + Self.wellBehaved
        try withPrograms(script) { programs in
            try LocalPlatform.run(environment: ["AUTH": "keys"], options: ["--concurrency", "2"], programs: programs) {
                let line = try #require($0.process.output.split(separator: "\n").first)
                #expect(line.hasPrefix("run --port 0 --programs \(programs.path())"))
                #expect(line.hasSuffix("--data \($0.data.path()) --concurrency 2 AUTH=keys"))
            }
        }
    }

    @Test func `a platform that ends before it is ready fails with what it printed`() throws {
        try withPrograms("echo PORT is not a number; exit 0") { programs in
            let failure = #expect(throws: LocalPlatform.Failure.self) {
                try LocalPlatform.run(programs: programs) { _ in Issue.record("it never was ready") }
            }
            #expect(failure?.description.contains("PORT is not a number") == true)
        }
    }

    @Test func `a process that outlives the platform is found and ended`() throws {
        try withPrograms("sleep 60 & trap 'exit 3' TERM; echo ready; wait") { programs in
            let output = programs.appending(path: "output").path()
            let process = try ProcessSession(
                programs.appending(path: "event-server").path(), [], environment: ["PATH": "/usr/bin:/bin"],
                output: output)
            #expect(process.waitForLine(beginning: "ready", within: 30))
            let end = process.stop(grace: 1)
            #expect(end.status == 3)
            #expect(end.survivors.count == 1)
            #expect(process.members.isEmpty)
        }
    }

    @Test func `the platform and its functions lie beside the tests that drive them`() {
        for program in ["event-server", "token-server", "fake-provider"] {
            let path = LocalPlatform.products.appending(path: program).path()
            #expect(FileManager.default.isExecutableFile(atPath: path), "\(path)")
        }
    }

    /// Calls `body` with a folder in which `event-server` is a script.
    private func withPrograms(_ script: String, _ body: (URL) throws -> Void) throws {
        let folder = URL(filePath: try ScratchFolder.make())
        defer { try? FileManager.default.removeItem(at: folder) }
        try Program.write("#!/bin/sh\n\(script)\n", to: folder.appending(path: "event-server").path())
        try body(folder)
    }
}
