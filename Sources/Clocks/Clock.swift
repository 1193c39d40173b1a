internal import Glibc

/// One reading of both clocks of this machine.
package struct Moment: Hashable, Sendable {
    /// The wall clock; it may jump.
    package var wall: Timestamp
    /// The steady clock; it never goes back, and may stand still while the machine is frozen.
    package var steady: Duration

    package init(wall: Timestamp, steady: Duration) {
        self.wall = wall
        self.steady = steady
    }

    /// The time that has gone from this reading to `later`: the larger of what the two clocks say.
    ///
    /// One of the two must count the time in which a function instance was frozen; too much elapsed time is safe
    /// for a token, too little serves it dead.
    package func elapsed(to later: Moment) -> Duration {
        max(later.wall - wall, later.steady - steady, .zero)
    }

    /// What is left until `deadline`: the smaller of what the two clocks say, negative when it is over.
    package func timeLeft(until deadline: Moment) -> Duration {
        min(deadline.wall - wall, deadline.steady - steady)
    }

    package static func + (moment: Moment, duration: Duration) -> Moment {
        Moment(wall: moment.wall + duration, steady: moment.steady + duration)
    }
}

/// A source of time.
///
/// The domain takes it as an argument so that it can be simulated.
package protocol Clock: Sendable {
    func now() -> Moment
}

/// The clocks of the operating system.
package struct SystemClock: Clock {
    package init() {}

    package func now() -> Moment {
        let wall = read(CLOCK_REALTIME)
        let steady = read(CLOCK_BOOTTIME)
        return Moment(
            wall: Timestamp(milliseconds: Int64(wall.tv_sec) * 1_000 + Int64(wall.tv_nsec) / 1_000_000),
            steady: Duration(
                attoseconds: Int128(steady.tv_sec * 1_000_000_000 + steady.tv_nsec) * 1_000_000_000))
    }

    private func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return time
    }
}
