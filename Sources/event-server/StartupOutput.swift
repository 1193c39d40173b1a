internal import JSON
internal import Locks

/// What the functions write while the local platform starts: held back, so that a start that fails is told in one line.
final class StartupOutput: Sendable {
    /// Nil once it is open.
    private let held = Lock<[String]?>([])

    func print(_ line: String) {
        let isOpen = held.withLock { held -> Bool in
            held?.append(line)
            return held == nil
        }
        if isOpen { Terminal.print(line) }
    }

    /// Prints what was held back, and from now on everything at once.
    func open() {
        let lines = held.withLock { held -> [String] in
            defer { held = nil }
            return held ?? []
        }
        for line in lines { Terminal.print(line) }
    }

    /// What a function said of why it does not start: the variable, and what it should be.
    var reason: String? {
        let lines = held.withLock { $0 ?? [] }
        for line in lines.reversed() {
            guard let said = try? JSON.Value(parsing: line.utf8), said["event"] == "startup_failed",
                let variable = said["variable"]?.string, let detail = said["detail"]?.string
            else { continue }
            return "\(variable): \(detail)"
        }
        return nil
    }

    /// The last line that is not the platform's own.
    var lastLine: String? {
        held.withLock { $0 ?? [] }.last { line in !["REPORT ", "FC ", "timer "].contains { line.hasPrefix($0) } }
    }
}
