internal import Glibc
internal import Synchronization

/// One open connection: who it is from, and since when its current request has been coming in.
final class ConnectionRecord: Sendable {
    let descriptor: Int32
    let source: String
    /// Seconds of the steady clock; 0 while nothing has to come in.
    let readingSince: Atomic<Int>

    init(descriptor: Int32, source: String) {
        self.descriptor = descriptor
        self.source = source
        readingSince = Atomic(ConnectionTable.seconds())
    }
}

/// The open connections, so that one that sends a byte now and then cannot hold its place for ever.
///
/// libmicrohttpd's own time limit starts again with every byte.
final class ConnectionTable: Sendable {
    private struct State {
        var records: [ObjectIdentifier: ConnectionRecord] = [:]
        var isWatching = false
    }

    private let state = Mutex(State())
    private let isOver = Atomic<Bool>(false)

    static func seconds() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return max(1, time.tv_sec)
    }

    func add(_ record: ConnectionRecord) {
        state.withLock { $0.records[ObjectIdentifier(record)] = record }
    }

    func remove(_ record: ConnectionRecord) {
        _ = state.withLock { $0.records.removeValue(forKey: ObjectIdentifier(record)) }
    }

    /// Shuts down, from a thread of its own, every connection whose request takes longer than `limit`.
    func watch(limit: Duration) {
        let box = unsafe Unmanaged.passRetained(Watch(table: self, limit: max(1, Int(limit.components.seconds))))
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<Watch>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        if result == 0 { pthread_detach(thread) } else { unsafe box.release() }
    }

    func stopWatching() {
        isOver.store(true, ordering: .releasing)
    }

    private final class Watch {
        private weak var table: ConnectionTable?
        private let limit: Int

        init(table: ConnectionTable, limit: Int) {
            self.table = table
            self.limit = limit
        }

        func run() {
            while let table, !table.isOver.load(ordering: .acquiring) {
                table.shutDownWhatIsLate(limit)
                usleep(500_000)
            }
        }
    }

    func shutDownAll() {
        state.withLock { state in
            for record in state.records.values { shutdown(record.descriptor, Int32(SHUT_RDWR)) }
        }
    }

    private func shutDownWhatIsLate(_ limit: Int) {
        let now = ConnectionTable.seconds()
        // Under the lock that the closing callback takes, so that no descriptor is shut down after its reuse.
        state.withLock { state in
            for record in state.records.values {
                let since = record.readingSince.load(ordering: .relaxed)
                if since != 0, now - since > limit { shutdown(record.descriptor, Int32(SHUT_RDWR)) }
            }
        }
    }
}
