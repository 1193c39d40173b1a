import Foundation
import Testing

/// A program that has run to its end, and what it wrote.
///
/// Foundation's own way of waiting takes its news from a run loop and a socket that a process started meanwhile may
/// hold open; it can wait for ever beside other tests.
struct Program {
    let pid: pid_t
    /// The exit status, or 128 + the signal that killed it.
    let status: Int32
    let output: String
    let errors: String

    /// - Parameter input: a file that is standard input.
    static func run(
        _ path: String, _ arguments: [String] = [],
        environment: [String: String] = ProcessInfo.processInfo.environment, input: String = "/dev/null"
    ) throws -> Program {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (output, errors) = (folder + "/output", folder + "/errors")
        let session = try ProcessSession(
            path, arguments, environment: environment, output: output, errors: errors, input: input)
        let status = session.wait()
        return Program(
            pid: session.pid, status: status, output: try String(contentsOfFile: output, encoding: .utf8),
            errors: try String(contentsOfFile: errors, encoding: .utf8))
    }

    /// Writes an executable file, folders included, by another process.
    ///
    /// A descriptor of ours, inherited for an instant by whatever a parallel test starts, would make it "text file busy".
    static func write(_ text: String, to path: String) throws {
        let write = #"mkdir -p "${1%/*}" && printf '%s' "$2" >"$1" && chmod 755 "$1""#
        let shell = try run("/bin/sh", ["-c", write, "sh", path, text])
        try #require(shell.status == 0, "\(shell.errors)")
    }
}
