internal import CSystem
internal import Glibc

/// A program that the local platform starts and whose output it reads; it ends with the thread that started it.
final class ChildProcess {
    private let id: pid_t
    private let output: Int32
    private var isReaped = false

    struct SpawnError: Error, CustomStringConvertible {
        let program: String
        let number: Int32

        var description: String { unsafe "\(program) cannot be started: \(String(cString: strerror(number)))" }
    }

    /// Standard output and standard error are both read here.
    init(_ program: String, _ arguments: [String], environment: [(name: String, value: String)]) throws(SpawnError) {
        var readEnd: Int32 = -1
        var writeEnd: Int32 = -1
        var failure = unsafe csystem_pipe(&readEnd, &writeEnd)
        guard failure == 0 else { throw SpawnError(program: program, number: failure) }
        var id: pid_t = 0
        let words = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        let variables = unsafe environment.map { unsafe strdup("\($0.name)=\($0.value)") } + [nil]
        failure = unsafe csystem_spawn(program, words, variables, writeEnd, writeEnd, &id)
        unsafe (words + variables).forEach { unsafe free($0) }
        Glibc.close(writeEnd)
        guard failure == 0 else {
            Glibc.close(readEnd)
            throw SpawnError(program: program, number: failure)
        }
        self.id = id
        output = readEnd
    }

    deinit {
        kill()
        Glibc.close(output)
    }

    /// Reads up to the first line break, or what there is.
    func readLine() -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while unsafe read(output, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        return String(decoding: line, as: UTF8.self)
    }

    /// Reads until the program closes its output.
    func readAll() -> String {
        var lines: [String] = []
        while case let line = readLine(), !line.isEmpty { lines.append(line) }
        return lines.joined(separator: "; ")
    }

    func wait() -> Int32 {
        isReaped = true
        return csystem_reap(id)
    }

    func kill() {
        guard !isReaped else { return }
        Glibc.kill(-id, SIGKILL)
        _ = wait()
    }
}

/// The fake provider beside the function.
enum Companion {
    /// Starts the fake provider and learns where it listens.
    ///
    /// The port that it had the last time is taken again where it is free, so that realms which were registered then still reach it.
    static func startProvider(
        _ program: String, data: String
    ) throws(LocalPlatformFailure) -> (process: ChildProcess, address: String) {
        let file = data + "/fake-provider.port"
        if let last = TextFile.read(file).flatMap({ UInt16($0) }), last > 0, let again = try? start(program, port: last)
        {
            return again
        }
        let started = try start(program, port: 0)
        if let port = started.address.split(separator: ":").last { TextFile.write(String(port), to: file) }
        return started
    }

    private static func start(
        _ program: String, port: UInt16
    ) throws(LocalPlatformFailure) -> (process: ChildProcess, address: String) {
        let process: ChildProcess
        do throws(ChildProcess.SpawnError) {
            process = try ChildProcess(program, ["--port", String(port)], environment: [])
        } catch {
            throw LocalPlatformFailure(message: "\(error)")
        }
        let line = process.readLine()
        let prefix = "fake-provider listening on http://"
        guard line.hasPrefix(prefix) else {
            throw LocalPlatformFailure(message: "the fake provider did not start: \(line)")
        }
        return (process, String(line.dropFirst(prefix.count)))
    }
}

/// Why the platform did not start, in one line.
struct LocalPlatformFailure: Error {
    let message: String
}
