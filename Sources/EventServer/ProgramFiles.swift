internal import Glibc

/// The files that a function was started from, as they were then: its bootstrap, and the program that this became.
struct ProgramFiles: Sendable {
    /// What changes when a file is written or replaced.
    private struct Stamp: Equatable {
        let device: UInt
        let inode: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int

        init?(_ path: String) {
            var status = stat()
            guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
            size = Int(status.st_size)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }

        /// Nobody has written to it for a moment: a linker writes its program piece by piece.
        var isSettled: Bool {
            var now = timespec()
            unsafe clock_gettime(CLOCK_REALTIME, &now)
            let age = (now.tv_sec - seconds) * 1_000 + (now.tv_nsec - nanoseconds) / 1_000_000
            return !(0..<200).contains(age)
        }
    }

    private var files: [String: Stamp] = [:]
    private var hasProgram = false

    init(_ bootstrap: String) {
        files[bootstrap] = Stamp(bootstrap)
    }

    /// Adds the program that the bootstrap has become, by the process that runs it; the first call counts.
    ///
    /// A script's process is its interpreter, so the files that its arguments name are watched as well.
    mutating func add(runningAs process: pid_t) {
        if hasProgram { return }
        hasProgram = true
        let link = "/proc/\(process)/exe"
        let deleted = " (deleted)"
        if var path = SmallFile.target(of: link) {
            if path.hasSuffix(deleted) { path.removeLast(deleted.count) }
            // The link leads to the very file that runs, even where its name belongs to another by now.
            files[path] = Stamp(link)
        }
        let arguments = SmallFile.read("/proc/\(process)/cmdline")?.split(separator: "\0") ?? []
        for argument in arguments.map(String.init) where argument.hasPrefix("/") && files[argument] == nil {
            files[argument] = Stamp(argument)
        }
    }

    /// A file that is not there just now is being made anew.
    var haveChanged: Bool {
        files.contains { path, stamp in
            guard let now = Stamp(path) else { return false }
            return now != stamp && now.isSettled
        }
    }
}
