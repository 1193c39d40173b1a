internal import Clocks

/// Instants as API Gateway writes them.
enum EventTime {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// `12/Mar/2020:19:03:58 +0000`.
    static func commonLog(_ instant: Timestamp) -> String {
        // 2020-03-12T19:03:58.390Z
        let text = Array(instant.iso8601)
        let month = Int(String(text[5..<7])).map { months[$0 - 1] } ?? ""
        return "\(String(text[8..<10]))/\(month)/\(String(text[0..<4])):\(String(text[11..<19])) +0000"
    }
}
