internal import Glibc

/// What processes have used, as the kernel counts it.
enum ProcessUsage {
    /// CPU time of every process of a group, in user and kernel mode together.
    static func cpu(group: pid_t) -> Duration {
        var ticks: Int64 = 0
        for process in members(of: group) {
            // After the name, which may hold anything but ends with the last parenthesis: user time is the 12th, kernel time the 13th.
            let words = fields(process)
            guard words.count > 12, let user = Int64(words[11]), let kernel = Int64(words[12]) else { continue }
            ticks += user + kernel
        }
        return .seconds(1) * Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// A line of `/proc/PID/status`, as a number: kilobytes, threads.
    static func status(_ process: pid_t, _ name: String) -> Int64 {
        for line in TextFile.read("/proc/\(process)/status").split(separator: "\n") where line.hasPrefix(name + ":") {
            return Int64(line.filter(\.isNumber)) ?? 0
        }
        return 0
    }

    private static func members(of group: pid_t) -> [pid_t] {
        guard let folder = unsafe opendir("/proc") else { return [] }
        defer { unsafe closedir(folder) }
        var members: [pid_t] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard let process = pid_t(name) else { continue }
            let words = fields(process)
            if words.count > 2, words[2] == String(group) { members.append(process) }
        }
        return members
    }

    /// State, parent, group, and what follows in `/proc/PID/stat`.
    private static func fields(_ process: pid_t) -> [Substring] {
        let text = TextFile.read("/proc/\(process)/stat")
        guard let name = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: name)...].split(separator: " ")
    }
}

enum TextFile {
    /// Empty where it cannot be read.
    static func read(_ path: String) -> String {
        var bytes: [UInt8] = []
        pieces(path) { bytes += $0 }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Its line breaks.
    static func lines(_ path: String) -> Int {
        var count = 0
        pieces(path) { piece in count += piece.count { $0 == UInt8(ascii: "\n") } }
        return count
    }

    /// Each whole line, without its line break.
    static func eachLine(_ path: String, _ take: (ArraySlice<UInt8>) -> Void) {
        var pending: [UInt8] = []
        pieces(path) { piece in
            var rest = piece
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                if pending.isEmpty {
                    take(rest[..<end])
                } else {
                    take((pending + rest[..<end])[...])
                    pending = []
                }
                rest = rest[(end + 1)...]
            }
            pending += rest
        }
    }

    private static func pieces(_ path: String, _ take: (ArraySlice<UInt8>) -> Void) {
        guard let file = unsafe fopen(path, "r") else { return }
        defer { unsafe fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = unsafe fread(&buffer, 1, buffer.count, file), count > 0 { take(buffer[..<count]) }
    }

    static func write(_ text: String, to path: String) throws {
        guard let file = unsafe fopen(path, "w") else { throw BenchmarkFailure(description: "cannot write \(path)") }
        let bytes = Array(text.utf8)
        let count = unsafe fwrite(bytes, 1, bytes.count, file)
        guard unsafe fclose(file) == 0, count == bytes.count else {
            throw BenchmarkFailure(description: "cannot write \(path)")
        }
    }
}
