import Foundation

/// A shell that acts when this process lets go of it, be it by dying.
///
/// Its standard input is one end of a pair of sockets whose other end only this process has. What it starts may be
/// killed by it, which `PR_SET_PDEATHSIG` would do as soon as the *thread* that started it ends.
struct ProcessLeash {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let shell: pid_t
    private let end: Int32
    private let answers: Int32

    /// Runs `script` with `arguments` as `$1` and so on; what it writes to descriptor 3 is read by `readLine()`.
    init(script: String, arguments: [String]) throws {
        let (shellInput, end) = try Self.pair()
        let (shellOutput, answers) = try Self.pair()
        defer {
            close(shellInput)
            close(shellOutput)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, shellInput, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, shellOutput, 3)
        // The test runner blocks SIGCHLD, without which the shell's `wait` never ends.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        sigemptyset(&noSignals)
        posix_spawnattr_setsigmask(&attributes, &noSignals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        // A signal to the terminal's group must not end it before it has done its work.
        let words = ["/bin/sh", "-c", "trap '' HUP INT TERM; " + script, "sh"] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        var process: pid_t = 0
        guard posix_spawn(&process, words[0], &actions, &attributes, pointers, environ) == 0 else {
            throw Failure(description: "cannot start a shell")
        }
        shell = process
        self.end = end
        self.answers = answers
    }

    func readLine() -> String {
        var text: [UInt8] = Array(repeating: 0, count: 64)
        let count = read(answers, &text, text.count)
        return String(decoding: text.prefix(max(0, count)), as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    /// Says a last word, lets go and waits until the shell has ended.
    func release(saying word: String = "") {
        let line = word + "\n"
        _ = send(end, line, line.utf8.count, Int32(MSG_NOSIGNAL))
        close(end)
        close(answers)
        var status: Int32 = 0
        waitpid(shell, &status, 0)
    }

    /// Two connected sockets, closed on `exec` from the start.
    ///
    /// A process that another test starts at this moment must not keep the leash.
    /// Above the descriptors of the shell, so that none is duplicated onto itself and then closed.
    private static func pair() throws -> (Int32, Int32) {
        var ends: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Failure(description: "no pair of sockets") }
        let moved = ends.map { end in
            defer { close(end) }
            return fcntl(end, F_DUPFD_CLOEXEC, 10)
        }
        return (moved[0], moved[1])
    }
}
