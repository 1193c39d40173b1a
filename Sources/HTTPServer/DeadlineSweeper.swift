internal import CSystem
internal import Fibers
internal import Glibc
internal import Locks

/// A thread that cuts connections whose step is over time, or whose peer is gone, and gives back what a crowd of them held.
final class DeadlineSweeper: Sendable {
    /// The end that is closed to end the thread.
    private let wake: Int32
    private let thread: Lock<Thread?>

    /// As many connections leave buffers of a megabyte or more.
    private static let crowd = 64

    init(_ threads: [NetworkThread], requestTimeout: Duration) {
        var end: Int32 = -1
        var wake: Int32 = -1
        _ = unsafe csystem_pipe(&end, &wake)
        self.wake = wake
        let interval = min(max(requestTimeout / 8, .milliseconds(20)), .seconds(1))
        let reading = end
        thread = Lock(Thread.start { DeadlineSweeper.sweep(threads, every: interval, until: reading) })
    }

    private static func sweep(_ threads: [NetworkThread], every interval: Duration, until end: Int32) {
        let milliseconds = Int32(interval / .milliseconds(1))
        var closed = 0
        var descriptor = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&descriptor, 1, milliseconds) <= 0 {
            let now = ContinuousClock.now
            for thread in threads {
                thread.end(overlooked: thread.connections.all.filter { $0.cut(ifOverAt: now) })
                closed += thread.connections.takeClosed()
            }
            guard closed >= crowd else { continue }
            closed = 0
            csystem_return_memory()
        }
        close(end)
    }

    func stop() {
        thread.withLock { thread in
            guard let running = thread else { return }
            close(wake)
            running.join()
            thread = nil
        }
    }
}
