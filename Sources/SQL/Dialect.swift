/// The few fragments in which the databases differ; everything else is written once.
package enum Dialect: Sendable {
    case mysql
    case sqlite

    /// The database's clock: epoch milliseconds in UTC.
    ///
    /// One value throughout a statement.
    package var now: String {
        switch self {
        // Every connection sets its time zone to UTC, so that no summer time makes this ambiguous.
        case .mysql: "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
        case .sqlite: "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"
        }
    }

    /// `INSERT` that leaves an existing row as it is.
    package var insertOrIgnore: String {
        switch self {
        case .mysql: "INSERT IGNORE INTO"
        case .sqlite: "INSERT OR IGNORE INTO"
        }
    }

    /// After `INSERT … VALUES (…)`: what begins the changes of the row that has these values of `key` already.
    package func onConflict(with key: String) -> String {
        switch self {
        case .mysql: "ON DUPLICATE KEY UPDATE"
        case .sqlite: "ON CONFLICT (\(key)) DO UPDATE SET"
        }
    }

    /// A `LIKE` pattern for text that contains `text`, with `!` as the escape character: `x LIKE ? ESCAPE '!'`.
    package static func contains(_ text: String) -> String {
        // By scalar: a wildcard followed by a combining mark is one character to Swift, and still a wildcard to a database.
        var pattern = String.UnicodeScalarView("%".unicodeScalars)
        for scalar in text.unicodeScalars {
            if scalar == "%" || scalar == "_" || scalar == "!" { pattern.append("!") }
            pattern.append(scalar)
        }
        pattern.append("%")
        return String(pattern)
    }
}
