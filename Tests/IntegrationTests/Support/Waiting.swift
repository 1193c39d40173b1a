import Foundation

/// Waits until a condition holds; the limit is there for what never comes true, not for what takes long.
///
/// - Returns: whether it held in the end.
@discardableResult
func wait(within limit: Duration = .seconds(120), until condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + limit
    while true {
        if try condition() { return true }
        if ContinuousClock.now >= end { return false }
        usleep(5_000)
    }
}
