internal import CSystem
internal import Glibc

/// Wakes one thread that waits, from any other; a signal that comes before the wait is not lost.
@safe final class Wake: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32

    init() {
        var readEnd: Int32 = -1
        var writeEnd: Int32 = -1
        if unsafe csystem_pipe(&readEnd, &writeEnd) == 0 {
            // A pipe that is full has woken the reader already.
            _ = fcntl(writeEnd, F_SETFL, O_NONBLOCK)
            _ = fcntl(readEnd, F_SETFL, O_NONBLOCK)
        }
        self.readEnd = readEnd
        self.writeEnd = writeEnd
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    func signal() {
        var byte: UInt8 = 1
        _ = unsafe write(writeEnd, &byte, 1)
    }

    /// False when the time is over.
    @discardableResult
    func wait(atMost limit: Duration) -> Bool {
        var descriptor = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&descriptor, 1, Int32(limit / .milliseconds(1))) > 0 else { return false }
        var bytes = [UInt8](repeating: 0, count: 256)
        while unsafe read(readEnd, &bytes, bytes.count) == bytes.count {}
        return true
    }
}
