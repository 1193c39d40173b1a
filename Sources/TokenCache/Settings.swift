package import HTTP
package import Log

/// What the environment says about the cache function; each variable is read once, at start.
package struct Settings: Sendable {
    package var server: HTTP.URL
    package var logLevel: Logger.Level

    /// A variable that is missing or cannot be used.
    package struct Failure: Error, Sendable, Equatable {
        package let variable: String
        package let message: String
    }

    package init(environment: (String) -> String?) throws(Failure) {
        logLevel = try Settings.logLevel(environment("LOG_LEVEL"))
        guard var text = environment("TOKEN_SERVER_URL"), !text.isEmpty else {
            throw Failure(variable: "TOKEN_SERVER_URL", message: "is missing: where token-server answers")
        }
        while text.hasSuffix("/") { text.removeLast() }
        guard let server = try? HTTP.URL(parsing: text), !text.contains("?") else {
            throw Failure(variable: "TOKEN_SERVER_URL", message: "must be an http or https URL without query")
        }
        self.server = server
    }

    package static func logLevel(_ text: String?) throws(Failure) -> Logger.Level {
        guard let text, !text.isEmpty else { return .info }
        guard let level = Logger.Level(rawValue: text) else {
            throw Failure(variable: "LOG_LEVEL", message: "must be debug, info, warn or error")
        }
        return level
    }
}
