package import Clocks
package import Schedules
internal import Synchronization

/// Which timers are due; what was missed while the machine slept is sent once.
package struct DueTimers: Sendable {
    private let start: Timestamp
    private var waiting: [(timer: TimerTrigger, due: Timestamp)]

    /// - Parameter start: when the timers were made.
    package init(_ timers: [TimerTrigger], start: Timestamp) {
        self.start = start
        waiting = timers.compactMap { timer in
            guard timer.isEnabled, let due = timer.schedule.next(after: start, since: start) else { return nil }
            return (timer, due)
        }
    }

    /// When the next one is due; nil where none is any more.
    package var earliest: Timestamp? { waiting.map(\.due).min() }

    /// Takes those that are due, and sets each for its next time.
    package mutating func take(at now: Timestamp) -> [(timer: TimerTrigger, due: Timestamp)] {
        let due = waiting.filter { $0.due <= now }
        waiting = waiting.compactMap { timer, due in
            if due > now { return (timer, due) }
            return timer.schedule.next(after: now, since: start).map { (timer, $0) }
        }
        return due
    }
}

/// Runs timers on a thread of its own.
final class TimerRunner: Sendable {
    private let timers: [TimerTrigger]
    private let clock: any Clock
    private let wake = Wake()
    private let isStopping = Atomic<Bool>(false)

    init(_ timers: [TimerTrigger], clock: any Clock) {
        self.timers = timers
        self.clock = clock
    }

    func start(_ fire: @escaping @Sendable (TimerTrigger, Timestamp) -> Void) {
        let made = DueTimers(timers, start: clock.now().wall)
        guard made.earliest != nil else { return }
        BackgroundThread.start { [self] in
            var due = made
            while !isStopping.load(ordering: .acquiring), let earliest = due.earliest {
                // A wall clock that was set is seen within a second.
                let left = max(.milliseconds(1), min(earliest - clock.now().wall, .seconds(1)))
                wake.wait(atMost: left)
                if isStopping.load(ordering: .acquiring) { return }
                for (timer, at) in due.take(at: clock.now().wall) { fire(timer, at) }
            }
        }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        wake.signal()
    }
}
