import Foundation
import Glibc

/// A process in a session of its own, so that whatever it starts can be found again, whoever its parent is by then.
struct ProcessSession {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// `POSIX_SPAWN_SETSID` of spawn.h, which Swift does not import: it is behind `_GNU_SOURCE`.
    private static let startSession: Int16 = 0x80

    let pid: pid_t
    private let file: String

    /// - Parameters:
    ///   - output: a file that takes standard output, and standard error too where `errors` names no other.
    ///   - input: a file that is standard input.
    init(
        _ path: String, _ arguments: [String], environment: [String: String], output: String, errors: String? = nil,
        input: String = "/dev/null"
    ) throws {
        file = output
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(
            &attributes, Self.startSession | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        if let errors {
            posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        } else {
            posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        }

        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        var settings: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (words + settings).forEach { free($0) } }
        var started: pid_t = 0
        let error = posix_spawn(&started, path, &actions, &attributes, &words, &settings)
        guard error == 0 else {
            throw Failure(description: "cannot start \(path): \(String(cString: strerror(error)))")
        }
        pid = started
    }

    /// All that the process and its children have printed so far.
    var output: String {
        (try? String(contentsOf: URL(filePath: file), encoding: .utf8)) ?? ""
    }

    /// Waits for a whole line that begins so; false when the time is over or the process has ended without it.
    func waitForLine(beginning: String, within seconds: Double) -> Bool {
        Self.poll(within: seconds) {
            let hasEnded = !isRunning
            if output.split(separator: "\n").contains(where: { $0.hasPrefix(beginning) }) { return true }
            return hasEnded ? false : nil
        } ?? false
    }

    /// Whether the process itself is still there; it is not reaped by asking.
    var isRunning: Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo == 0
    }

    /// Members of the session that run, the process itself included, dead ones that nobody has reaped left out.
    var members: [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { candidate in
            // After the name, which may hold anything but ends with the last parenthesis: state, parent, group, session.
            guard let stat = try? String(contentsOf: URL(filePath: "/proc/\(candidate)/stat"), encoding: .utf8),
                let name = stat.lastIndex(of: ")")
            else { return false }
            let rest = stat[name...].split(separator: " ")
            return rest.count > 4 && rest[1] != "Z" && rest[1] != "X" && rest[4] == String(pid)
        }
    }

    /// Ends the process by SIGTERM, and whatever then is left of its session by SIGKILL.
    ///
    /// - Parameter grace: for how many seconds what it started may outlive it; a busy machine takes its time to end what was told
    ///   to end.
    /// - Returns: its exit status (128 + the signal that killed it), and what outlived it by more than the grace.
    func stop(grace: Double = 30) -> (status: Int32, survivors: [pid_t]) {
        kill(pid, SIGTERM)
        if Self.poll(within: 60, { isRunning ? nil : true }) == nil { kill(pid, SIGKILL) }
        let status = wait()
        _ = Self.poll(within: grace) { members.isEmpty ? true : nil }
        let survivors = members
        for member in survivors { kill(member, SIGKILL) }
        _ = Self.poll(within: 30) { members.isEmpty ? true : nil }
        return (status, survivors)
    }

    /// Waits until the process has ended: its exit status, or 128 + the signal that killed it.
    func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR { continue }
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    private static func poll<Found>(within seconds: Double, _ look: () -> Found?) -> Found? {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if let found = look() { return found }
            if ContinuousClock.now >= end { return nil }
            usleep(10_000)
        }
    }
}
