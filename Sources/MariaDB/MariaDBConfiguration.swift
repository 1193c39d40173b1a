package import SQL

/// How to reach the server and how long to wait for it.
package struct MariaDBConfiguration: Sendable {
    package var server: DatabaseURL.Server
    /// Where libmariadb finds its login plugins (`caching_sha2_password.so`); nil leaves the folder it was built with.
    package var pluginFolder: String?
    /// For the connection and its greeting.
    package var connectTimeout: Duration = .seconds(2)
    /// For each answer; the library counts whole seconds, parts are rounded up.
    package var readTimeout: Duration = .seconds(5)
    package var writeTimeout: Duration = .seconds(5)

    package init(_ server: DatabaseURL.Server) {
        self.server = server
    }

    /// How long a statement waits for the lock of a row or a table.
    ///
    /// Less than `readTimeout`, so that the server gives up first, says why, and the connection lives on.
    var lockTimeout: Duration {
        max(.seconds(1), .seconds(readTimeout.wholeSeconds) - .seconds(2))
    }
}

extension Duration {
    /// In seconds, rounded up, at least 1 (0 would mean for ever).
    var wholeSeconds: UInt32 {
        let (seconds, attoseconds) = components
        return UInt32(clamping: max(1, seconds + (attoseconds > 0 ? 1 : 0)))
    }
}
