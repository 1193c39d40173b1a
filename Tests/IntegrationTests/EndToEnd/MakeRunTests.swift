import Foundation
import Testing

/// What `make run` would start, without building it.
@Suite struct MakeRunTests {
    private func command(_ arguments: [String], environment: [String: String] = [:]) throws -> String {
        var settings = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"]
        settings.merge(environment) { _, new in new }
        let root = LocalPlatform.bootstrap.deletingLastPathComponent().path()
        let make = try Program.run(
            "/usr/bin/make", ["--dry-run", "--no-print-directory", "-C", root, "run"] + arguments, environment: settings
        )
        #expect(make.status == 0, "\(make.errors)")
        return String(make.output.split(separator: "\n").last { $0.contains("event-server run") } ?? "")
    }

    @Test func `the data folder is the caller's to choose`() throws {
        #expect(try command([]).contains(#"--data "build/run""#))
        #expect(try command(["DATA=/srv/tokens"]).contains(#"--data "/srv/tokens""#))
        #expect(try command([], environment: ["DATA": "/srv/my tokens"]).contains(#"--data "/srv/my tokens""#))
    }
}
