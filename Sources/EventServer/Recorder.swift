internal import CSystem
internal import Clocks
internal import Glibc
internal import JSON
internal import Locks

/// A file that takes one line for each call of a function.
package final class Recorder: Sendable {
    private let descriptor: Int32
    private let isWriting = Lock(true)
    private let complain: @Sendable (String) -> Void

    /// Opens the file for its owner alone, and appends to it; nil where that cannot be done.
    package init?(file: String, complain: @escaping @Sendable (String) -> Void) {
        let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
        self.complain = complain
    }

    deinit { close(descriptor) }

    /// An event that never came to the function is not recorded.
    func record(event: [UInt8], id: String, function: String, at: Timestamp, _ result: InvocationResult) {
        if case .platformError(let error) = result,
            [.throttled, .unavailable, .queueTimeout, .stopped].contains(error.kind)
        {
            return
        }
        record(Recording(event: event, id: id, function: function, at: at, result: result))
    }

    /// After a line that could not be written whole nothing more is, and that is said once.
    func record(_ recording: Recording) {
        let bytes = recording.line.encoded + [UInt8(ascii: "\n")]
        isWriting.withLock { isWriting in
            guard isWriting else { return }
            var sent = 0
            while sent < bytes.count {
                let count = unsafe bytes[sent...].withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
                if count < 0, csystem_errno() == EINTR { continue }
                guard count > 0 else {
                    isWriting = false
                    return complain("event-server: the record cannot be written any more")
                }
                sent += count
            }
        }
    }
}
