internal import CSystem
internal import Glibc

/// Files that are read as a whole.
package enum WholeFile {
    /// Far more than a template or a time zone has.
    private static let largest = 16 << 20

    /// Nil where it cannot be read, is no plain file or is larger than 16 MiB.
    package static func read(_ path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= largest {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, csystem_errno() == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
        return nil
    }
}
