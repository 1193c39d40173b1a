internal import CSystem
internal import Glibc

/// Blocks the calling thread for a duration, signals or not.
package let systemSleep: @Sendable (Duration) -> Void = { duration in
    guard duration > .zero else { return }
    let (seconds, attoseconds) = duration.components
    var left = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    while true {
        var rest = timespec()
        guard unsafe nanosleep(&left, &rest) != 0, csystem_errno() == EINTR else { return }
        left = rest
    }
}
