package import Clocks

extension Timestamp {
    /// Reads the date of a header field: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
    ///
    /// Nil for anything else, the two forms included that nobody may write any more.
    package init?(httpDate text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[0].utf8.count == 4, words[0].hasSuffix(","), words[5] == "GMT",
            let day = decimal(words[1], digits: 2), let month = months.firstIndex(of: words[2]).map({ $0 + 1 }),
            let year = decimal(words[3], digits: 4), (1...CivilDate.daysInMonth(year, month)).contains(day)
        else { return nil }
        let clock = words[4].split(separator: ":", omittingEmptySubsequences: false)
        guard clock.count == 3, let hour = decimal(clock[0], digits: 2), let minute = decimal(clock[1], digits: 2),
            let second = decimal(clock[2], digits: 2), hour < 24, minute < 60, second <= 60
        else { return nil }
        let seconds = CivilDate(year, month, day).daysSinceEpoch * 86_400 + hour * 3_600 + minute * 60 + second
        self.init(milliseconds: Int64(seconds) * 1_000)
    }
}

private let months: [Substring] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
]

private func decimal(_ text: Substring, digits: Int) -> Int? {
    text.utf8.count == digits && text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
}
