import Foundation
import Glibc
import Testing

/// The real `event-server run`, as `make run` starts it: built programs, real processes, a data folder of its own.
struct LocalPlatform {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The URL of `token-server`, without a slash at its end.
    let url: String
    /// The URL of `token-server-cache`, without a slash at its end; empty where it is not announced.
    let cache: String
    /// The URL of the fake provider, without a slash at its end.
    let provider: String
    /// The embedded store and whatever else the platform keeps.
    let data: URL
    /// The platform's own process.
    let process: ProcessSession

    /// Starts the platform, waits for its `ready` line, calls `body`, stops it by SIGTERM and removes its data.
    ///
    /// That it ends with status 0 and leaves no process behind is expected of every run.
    /// - Parameters:
    ///   - environment: settings of the functions, in addition to this process's own.
    ///   - options: further options of `event-server run`.
    ///   - programs: the folder of the executables; by default the products of this very build.
    static func run(
        environment: [String: String] = [:], options: [String] = [], programs: URL = Self.products,
        _ body: (LocalPlatform) throws -> Void
    ) throws {
        let folder = URL(filePath: try ScratchFolder.make())
        defer { try? FileManager.default.removeItem(at: folder) }
        let data = folder.appending(path: "data")

        var settings = ProcessInfo.processInfo.environment
        settings.merge(environment) { _, new in new }
        let process = try ProcessSession(
            programs.appending(path: "event-server").path(),
            [
                "run", "--port", "0", "--programs", programs.path(), "--bootstrap", bootstrap.path(),
                "--data", data.path(),
            ] + options,
            environment: settings, output: folder.appending(path: "output").path())
        defer {
            let end = process.stop()
            #expect(end.status == 0, "event-server ended so after SIGTERM; its output:\n\(process.output)")
            #expect(end.survivors.isEmpty, "processes it left behind")
        }

        guard process.waitForLine(beginning: "ready", within: 180) else {
            throw Failure(description: "event-server is not ready; its output:\n\(process.output)")
        }
        try body(
            LocalPlatform(
                url: try announced("token-server", in: process.output),
                cache: (try? announced("token-server-cache", in: process.output)) ?? "",
                provider: try announced("fake-provider", in: process.output),
                data: data, process: process))
    }

    /// The folder of this build's products: where the test executable itself lies.
    static var products: URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    }

    static var bootstrap: URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "bootstrap")
    }

    /// The URL in the line that begins with a program's name.
    private static func announced(_ name: String, in output: String) throws -> String {
        for line in output.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.first.map({ $0 == name || $0 == name + ":" }) == true else { continue }
            if let url = words.first(where: { $0.hasPrefix("http://") }) {
                return String(url.hasSuffix("/") ? url.dropLast() : url)
            }
        }
        throw Failure(description: "no URL of \(name) in what event-server printed:\n\(output)")
    }
}
