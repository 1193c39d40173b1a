internal import CSystem
internal import Glibc
internal import Locks
internal import Synchronization

struct BenchmarkFailure: Error, CustomStringConvertible {
    let description: String
}

/// What others wrote and this benchmark starts.
enum Tool {
    static let ab = "/usr/bin/ab"
    static let nginx = "/usr/sbin/nginx"
    static let mariadb = "/usr/sbin/mariadbd"
    static let mariadbInstaller = "/usr/bin/mariadb-install-db"
}

/// A program that is started here; it and what it starts end with this one.
final class Child {
    /// The leader of its process group.
    let id: pid_t
    private let output: Int32
    private var pending: [UInt8] = []
    private var hasEnded = false

    /// The groups that run, for whoever has to end them in a hurry.
    private static let groups = Lock<Set<pid_t>>([])
    private static let isEnding = Atomic(false)
    /// What goes with them.
    private static let scratch = Lock("")

    /// - Parameter file: takes what the program writes, after what is there; without it, this object reads it.
    init(
        _ program: String, _ arguments: [String], environment: [String] = ["PATH=/usr/sbin:/usr/bin:/bin"],
        file: String? = nil
    ) throws {
        try Child.require(program)
        var readEnd: Int32 = -1
        var writeEnd: Int32 = -1
        if let file {
            writeEnd = unsafe open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
            guard writeEnd >= 0 else { throw BenchmarkFailure(description: "cannot write \(file)") }
        } else {
            guard unsafe csystem_pipe(&readEnd, &writeEnd) == 0 else { throw BenchmarkFailure(description: "no pipe") }
        }
        var id: pid_t = 0
        let words = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        let variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        let failure = unsafe csystem_spawn(program, words, variables, writeEnd, writeEnd, &id)
        unsafe (words + variables).forEach { unsafe free($0) }
        close(writeEnd)
        guard failure == 0 else {
            if readEnd >= 0 { close(readEnd) }
            throw BenchmarkFailure(description: "\(program) cannot be started")
        }
        self.id = id
        output = readEnd
        Child.groups.withLock { _ = $0.insert(id) }
    }

    deinit {
        if !hasEnded { kill(-id, SIGKILL) }
        wait()
        if output >= 0 { close(output) }
    }

    /// Ends every child when this program is told to end, and removes a folder: what the children started ends with them.
    static func endAllOnTermination(removing folder: String) {
        csystem_block_termination()
        scratch.withLock { $0 = folder }
        var thread = pthread_t()
        _ = unsafe pthread_create(
            &thread, nil,
            { _ in
                let number = csystem_wait_for_termination()
                Child.isEnding.store(true, ordering: .releasing)
                for group in Child.groups.withLock({ $0 }) { kill(-group, SIGKILL) }
                try? Child.run("/usr/bin/rm", ["-r", "-f", Child.scratch.withLock { $0 }])
                _exit(128 + number)
            }, nil)
        pthread_detach(thread)
    }

    /// Waits for this program's end where it has been told to end; who finds a child dead then has nothing to say.
    static func waitIfEnding() {
        while isEnding.load(ordering: .acquiring) { pause(.milliseconds(100)) }
    }

    /// Nil when the program has closed its output.
    func readLine() -> String? {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeSubrange(...end)
                return line
            }
            var buffer = [UInt8](repeating: 0, count: 16 << 10)
            let count = unsafe read(output, &buffer, buffer.count)
            if count <= 0 { return nil }
            pending += buffer[..<count]
        }
    }

    /// Reads on and forgets, so that the program never waits for a full pipe.
    func discardOutput() {
        var thread = pthread_t()
        // Its own, so that it outlives this object.
        let context = unsafe UnsafeMutableRawPointer(bitPattern: Int(dup(output)) + 1)
        _ = unsafe pthread_create(
            &thread, nil,
            { context in
                let output = Int32(Int(bitPattern: context) - 1)
                var buffer = [UInt8](repeating: 0, count: 64 << 10)
                while unsafe read(output, &buffer, buffer.count) > 0 {}
                close(output)
                return nil
            }, context)
        pthread_detach(thread)
    }

    /// - Throws: where a program cannot be started, with what brings it.
    static func require(_ program: String) throws {
        if unsafe access(program, X_OK) == 0 { return }
        let packages = [
            Tool.ab: "apache2-utils", Tool.nginx: "nginx", Tool.mariadb: "mariadb-server-core",
            Tool.mariadbInstaller: "mariadb-server-core",
        ]
        let remedy = packages[program].map { "it comes with Debian's \($0)" } ?? "make bench builds it"
        throw BenchmarkFailure(description: "\(program) is missing: \(remedy)")
    }

    /// Whether it has not ended; it is not reaped by asking.
    var isRunning: Bool {
        var info = unsafe siginfo_t()
        let isHere = unsafe waitid(P_PID, id_t(id), &info, WEXITED | WNOHANG | WNOWAIT) == 0
        return unsafe !hasEnded && isHere && info.si_signo == 0
    }

    /// Asks it to end, and waits until it has.
    func stop() {
        if hasEnded { return }
        kill(id, SIGTERM)
        wait()
    }

    /// Waits for its end; answers its exit code, or 128 + the signal that ended it.
    @discardableResult
    func wait() -> Int32 {
        if hasEnded { return 0 }
        hasEnded = true
        let code = csystem_reap(id)
        kill(-id, SIGKILL)
        Child.groups.withLock { _ = $0.remove(id) }
        return code
    }

    /// Runs a program to its end.
    static func run(_ program: String, _ arguments: [String], environment: [String] = ["PATH=/usr/sbin:/usr/bin:/bin"])
        throws
    {
        let child = try Child(program, arguments, environment: environment)
        var last = ""
        while let line = child.readLine() { if !line.isEmpty { last = line } }
        let code = child.wait()
        guard code == 0 else { throw BenchmarkFailure(description: "\(program) ended with \(code): \(last)") }
    }
}
