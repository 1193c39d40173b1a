internal import Glibc

/// The folder in which the program was started.
enum WorkingFolder {
    static var path: String {
        guard let text = unsafe getcwd(nil, 0) else { return "." }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
    }

    /// Makes a folder and those above it, for its owner alone; answers false where that cannot be done.
    static func make(_ path: String) -> Bool {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            _ = unsafe mkdir(made, 0o700)
        }
        return unsafe access(path, W_OK | X_OK) == 0
    }
}
