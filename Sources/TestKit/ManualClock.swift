package import Clocks
internal import Synchronization

/// A clock that stands still until it is told to move.
package final class ManualClock: Clock {
    private let moment: Mutex<Moment>

    package init(_ wall: Timestamp = Timestamp(milliseconds: 1_700_000_000_000)) {
        moment = Mutex(Moment(wall: wall, steady: .seconds(1_000)))
    }

    package func now() -> Moment {
        moment.withLock { $0 }
    }

    package func advance(by duration: Duration) {
        moment.withLock { $0 = $0 + duration }
    }

    /// Sets the wall clock alone, as an administrator or a thaw does.
    package func jump(by duration: Duration) {
        moment.withLock { $0.wall = $0.wall + duration }
    }
}
