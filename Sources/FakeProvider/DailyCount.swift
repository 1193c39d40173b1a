internal import Clocks

/// Counts what is allowed so many times a day; days begin at midnight in Beijing, as the providers' do.
struct DailyCount: Sendable {
    private var day: Int64 = .min
    private(set) var count = 0

    /// Counts one more, or gives false where `limit` is spent.
    mutating func take(limit: Int, now: Timestamp) -> Bool {
        let today = (now + .seconds(8 * 3_600)).milliseconds / 86_400_000
        if today != day { (day, count) = (today, 0) }
        guard count < limit else { return false }
        count += 1
        return true
    }
}
