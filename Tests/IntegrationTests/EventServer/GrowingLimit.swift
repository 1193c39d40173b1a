/// A test's own steps did not come within a limit of the system under test, so nothing was seen of what it is about.
struct TooLate: Error {}

/// Calls `body` with a limit of the system under test, and with a longer one where the machine was too slow for it.
///
/// - Parameter body: throws `TooLate` where its own steps came after the limit; with the last limit that is a failure.
func withGrowingLimit(_ milliseconds: [Int], _ body: (_ milliseconds: Int) throws -> Void) throws {
    for limit in milliseconds.dropLast() {
        do { return try body(limit) } catch is TooLate { continue }
    }
    if let longest = milliseconds.last { try body(longest) }
}
