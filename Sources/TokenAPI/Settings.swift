internal import Crypto
package import HTTP
package import Log

/// What the environment says about the API; each variable is read once, at start.
package struct Settings: Sendable {
    package var authorization: Authorization
    package var egress: EgressPolicy
    package var proxies: TrustedProxies
    /// How long the audit's entries are kept; nil for ever.
    package var auditRetention: Duration?
    package var logLevel: Logger.Level

    /// A variable that is missing or cannot be used.
    ///
    /// The message never shows the value.
    package struct Failure: Error, Sendable, Equatable {
        package let variable: String
        package let message: String
    }

    package init(environment: (String) -> String?) throws(Failure) {
        logLevel = try Settings.logLevel(environment("LOG_LEVEL"))
        authorization = try Settings.authorization(environment)
        auditRetention = try Settings.auditRetention(environment("AUDIT_RETENTION_DAYS"))
        do throws(EgressPolicy.ParseError) {
            egress = try EgressPolicy(parsing: environment("UPSTREAM_ALLOW") ?? "")
        } catch {
            throw Failure(variable: "UPSTREAM_ALLOW", message: "entry \(error.number) is not host[:port]")
        }
        do throws(TrustedProxies.ParseError) {
            proxies = try TrustedProxies(parsing: environment("TRUSTED_PROXIES") ?? "")
        } catch {
            throw Failure(
                variable: "TRUSTED_PROXIES", message: "entry \(error.number) is no address and no range of addresses")
        }
    }

    package static func logLevel(_ text: String?) throws(Failure) -> Logger.Level {
        guard let text, !text.isEmpty else { return .info }
        guard let level = Logger.Level(rawValue: text) else {
            throw Failure(variable: "LOG_LEVEL", message: "must be debug, info, warn or error")
        }
        return level
    }

    private static func auditRetention(_ text: String?) throws(Failure) -> Duration? {
        guard let text, !text.isEmpty else { return .seconds(400 * 86_400) }
        guard let days = Int64(text), (0...36_500).contains(days) else {
            throw Failure(variable: "AUDIT_RETENTION_DAYS", message: "must be a number of days up to 36500; 0 for ever")
        }
        return days == 0 ? nil : .seconds(days * 86_400)
    }

    private static func authorization(_ environment: (String) -> String?) throws(Failure) -> Authorization {
        let administrator = try digest(environment("ADMIN_KEY_SHA256"))
        switch environment("AUTH") ?? "" {
        case "none":
            if let sign = cloudSigns.first(where: { !(environment($0) ?? "").isEmpty }) {
                throw Failure(
                    variable: "AUTH", message: "none is refused in a cloud, which \(sign) shows this to be: set keys")
            }
            return .none
        case "", "keys": return .keys(administrator: administrator)
        default: throw Failure(variable: "AUTH", message: "must be keys or none")
        }
    }

    /// The credentials of a function's role: Lambda gives every function some, in the first or the second, Function Compute every
    /// function that has a role; the local platform gives none.
    private static let cloudSigns = [
        "AWS_SESSION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "ALIBABA_CLOUD_SECURITY_TOKEN",
    ]

    private static func digest(_ text: String?) throws(Failure) -> [UInt8]? {
        guard let text, !text.isEmpty else { return nil }
        guard let bytes = Hex.decode(text), bytes.count == 32 else {
            throw Failure(variable: "ADMIN_KEY_SHA256", message: "must be a SHA-256 digest of 64 hex digits")
        }
        return bytes
    }
}
