import Foundation
import Glibc
import Synchronization

/// Folders for the files of tests; all of them go when the test process ends, however it ends.
enum ScratchFolder {
    private static let count = Atomic<Int>(0)
    private static let root = Result { try makeRoot() }

    /// A new, empty folder with a short path: that of a Unix socket in it has 107 bytes at most.
    static func make() throws -> String {
        let folder = try root.get() + "/\(count.add(1, ordering: .relaxed).newValue)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        return folder
    }

    /// Memory where there is room: hundreds of databases come and go, and a disk that is busy holds up what has a deadline.
    private static var parent: String {
        let memory = "/dev/shm"
        var system = statvfs()
        guard statvfs(memory, &system) == 0, system.f_bavail * system.f_frsize > 4 << 30 else { return "/tmp" }
        // Programs are run from it: not where it is mounted read-only (1) or without execution (8, statvfs(3)).
        return system.f_flag & (1 | 8) == 0 ? memory : "/tmp"
    }

    private static func makeRoot() throws -> String {
        var path = Array("\(parent)/test-XXXXXX".utf8CString)
        guard mkdtemp(&path) != nil else { throw ProcessLeash.Failure(description: "no temporary folder") }
        let folder = String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        // Tried again while a server that is being killed still writes to it. The leash is never let go by hand.
        _ = try ProcessLeash(
            script: "read -r end; for try in 1 2 3 4 5 6 7 8 9; do rm -rf \"$1\" && exit; sleep 0.1; done",
            arguments: [folder])
        return folder
    }
}
