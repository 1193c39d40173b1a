internal import CSystem
internal import Glibc
internal import Locks

/// A thread that cuts connections whose step is over time, or whose peer is gone.
@safe final class DeadlineSweeper: Sendable {
    /// The end that is closed to end the thread.
    private let wake: Int32
    private let thread = Lock<pthread_t?>(nil)

    private struct Work {
        let connections: ConnectionTable
        let interval: Duration
        let end: Int32
    }

    init(_ connections: ConnectionTable, requestTimeout: Duration) {
        var end: Int32 = -1
        var wake: Int32 = -1
        _ = unsafe csystem_pipe(&end, &wake)
        self.wake = wake
        let interval = min(max(requestTimeout / 8, .milliseconds(20)), .seconds(1))
        let work = Box(Work(connections: connections, interval: interval, end: end))
        var created = pthread_t()
        let object = unsafe Unmanaged.passRetained(work)
        let failed = unsafe pthread_create(
            &created, nil,
            { argument in
                if let argument = unsafe argument {
                    DeadlineSweeper.sweep(unsafe Unmanaged<Box<Work>>.fromOpaque(argument).takeRetainedValue().value)
                }
                return nil
            }, object.toOpaque())
        if failed == 0 { thread.withLock { $0 = created } } else { unsafe object.release() }
    }

    private final class Box<Value> {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    private static func sweep(_ work: Work) {
        let milliseconds = Int32(work.interval / .milliseconds(1))
        var descriptor = pollfd(fd: work.end, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&descriptor, 1, milliseconds) <= 0 {
            let now = ContinuousClock.now
            for connection in work.connections.all { connection.cut(ifOverAt: now) }
        }
        close(work.end)
    }

    func stop() {
        thread.withLock { thread in
            guard let running = thread else { return }
            close(wake)
            pthread_join(running, nil)
            thread = nil
        }
    }
}
