internal import CSystem
internal import Glibc
internal import HTTPServer
internal import Locks
internal import Synchronization

/// One process of a function, in a process group of its own, with its output read line by line.
final class FunctionProcess: Sendable {
    let id: pid_t
    private let tail = Lock<[String]>([])
    private let isOutputRead = Atomic<Bool>(false)
    private let peak = Atomic<Int64>(0)
    private let hasEnded = Atomic<Bool>(false)
    private static let longestTail = 20
    private static let longestLine = 32 << 10

    struct SpawnError: Error, CustomStringConvertible {
        let program: String
        let number: Int32

        var description: String { unsafe "\(program) cannot be started: \(String(cString: strerror(number)))" }
    }

    private init(id: pid_t) {
        self.id = id
    }

    /// Starts the program; call it from a thread that lives as long as the process may.
    ///
    /// - Parameters:
    ///   - output: takes every line that the process writes.
    ///   - began: called once, before `ended` can be.
    ///   - ended: called once when the process has ended and is reaped, with its exit code or 128 + its signal.
    static func start(
        _ program: String, environment: [(name: String, value: String)], output: @escaping @Sendable (String) -> Void,
        began: (FunctionProcess) -> Void = { _ in }, ended: @escaping @Sendable (Int32) -> Void
    ) throws(SpawnError) -> FunctionProcess {
        var descriptor: Int32 = -1
        var writeEnd: Int32 = -1
        let pipeFailure = unsafe csystem_pipe(&descriptor, &writeEnd)
        guard pipeFailure == 0 else { throw SpawnError(program: program, number: pipeFailure) }
        var id: pid_t = 0
        let variables = environment.map { "\($0.name)=\($0.value)" }
        var failure: Int32 = 0
        for _ in 0..<50 {
            failure = unsafe CStrings.with([program]) { arguments in
                unsafe CStrings.with(variables) { variables in
                    unsafe csystem_spawn(program, arguments, variables, writeEnd, writeEnd, &id)
                }
            }
            // A program that is just being written anew is there in a moment.
            if failure != ETXTBSY { break }
            usleep(10_000)
        }
        close(writeEnd)
        guard failure == 0 else {
            close(descriptor)
            throw SpawnError(program: program, number: failure)
        }
        let process = FunctionProcess(id: id)
        BackgroundThread.start { [descriptor] in
            process.read(descriptor, output)
            process.isOutputRead.store(true, ordering: .releasing)
            close(descriptor)
        }
        began(process)
        BackgroundThread.start {
            _ = csystem_wait_for_end(process.id)
            // What the process started in its group must not outlive it.
            process.kill()
            process.waitForOutput()
            process.hasEnded.store(true, ordering: .releasing)
            ended(csystem_reap(process.id))
        }
        return process
    }

    /// Ends the process and everything in its group.
    func kill() {
        notePeak()
        Glibc.kill(-id, SIGKILL)
    }

    /// Asks the process and everything in its group to end.
    func terminate() {
        Glibc.kill(-id, SIGTERM)
    }

    /// Stops the process and everything in its group until `thaw()`: no thread of it runs.
    func freeze() {
        Glibc.kill(-id, SIGSTOP)
    }

    func thaw() {
        Glibc.kill(-id, SIGCONT)
    }

    /// The last lines are what tells why it ended; the group is gone, so its end of the pipe is closed.
    ///
    /// Not for ever: a process that has left the group may keep the pipe.
    private func waitForOutput() {
        for _ in 0..<5_000 where !isOutputRead.load(ordering: .acquiring) { usleep(1_000) }
    }

    /// The last lines that the process wrote.
    var lastLines: [String] { tail.withLock { $0 } }

    /// The largest resident set so far, in kilobytes; of a process that is gone, what was last seen.
    var peakKilobytes: Int64 {
        notePeak()
        return peak.load(ordering: .relaxed)
    }

    /// Looks at the largest resident set, which is not to be had once the process has ended.
    ///
    /// What the system tells of an ended process is no help: it counts the time before `exec`, when it was a copy of this one.
    func notePeak() {
        // Somebody else may have its number by now.
        if hasEnded.load(ordering: .acquiring) { return }
        guard let text = SmallFile.read("/proc/\(id)/status"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kilobytes = Int64(line.dropFirst(6).filter(\.isNumber))
        else { return }
        peak.max(kilobytes, ordering: .relaxed)
    }

    private func read(_ descriptor: Int32, _ output: (String) -> Void) {
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, csystem_errno() == EINTR { continue }
            if count <= 0 { break }
            pending += buffer[..<count]
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                emit(pending[..<end], output)
                pending.removeSubrange(...end)
            }
            if pending.count > FunctionProcess.longestLine {
                emit(pending[...], output)
                pending.removeAll()
            }
        }
        if !pending.isEmpty { emit(pending[...], output) }
    }

    private func emit(_ bytes: ArraySlice<UInt8>, _ output: (String) -> Void) {
        let line = String(decoding: bytes, as: UTF8.self)
        tail.withLock { lines in
            lines.append(line)
            if lines.count > FunctionProcess.longestTail { lines.removeFirst() }
        }
        output(line)
    }
}

/// Null-terminated arrays of C strings, as exec wants them.
enum CStrings {
    static func with<Result>(
        _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers = unsafe texts.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe pointers.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("the array holds at least its terminator") }
            return unsafe body(base)
        }
    }
}

/// Files of /proc, which are read in one piece.
enum SmallFile {
    /// Where a symbolic link leads.
    static func target(of link: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink(link, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    static func read(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 8 << 10)
        let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }
}
