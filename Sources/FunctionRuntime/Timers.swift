internal import CSystem
internal import Clocks
internal import Glibc
internal import Locks

/// Calls what has to happen later, on one thread: whoever is parked holds no other.
@safe final class Timers: Sendable {
    private struct Entry: Sendable {
        let at: Duration
        let action: @Sendable () -> Void
    }

    /// Sorted, the last one first to come.
    private let entries = Lock<[Entry]>([])
    private let clock: any Clock
    private nonisolated(unsafe) let changed: UnsafeMutablePointer<sem_t>

    init(clock: any Clock) {
        self.clock = clock
        unsafe changed = .allocate(capacity: 1)
        unsafe sem_init(changed, 0, 0)
    }

    func after(_ delay: Duration, _ action: @escaping @Sendable () -> Void) {
        let at = clock.now().steady + delay
        let isNext = entries.withLock { entries in
            let index = entries.lastIndex { $0.at > at }.map { $0 + 1 } ?? 0
            entries.insert(Entry(at: at, action: action), at: index)
            return index == entries.count - 1
        }
        if isNext { unsafe sem_post(changed) }
    }

    /// Never returns.
    func run() {
        while true {
            let now = clock.now().steady
            let (due, next) = entries.withLock { entries -> ([Entry], Duration?) in
                var due: [Entry] = []
                while let last = entries.last, last.at <= now { due.append(entries.removeLast()) }
                return (due, entries.last?.at)
            }
            for entry in due { entry.action() }
            if !due.isEmpty { continue }
            if let next {
                unsafe csystem_sem_wait(changed, (next - now).wholeNanoseconds)
            } else {
                _ = unsafe sem_wait(changed)
            }
        }
    }
}

extension Duration {
    fileprivate var wholeNanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
