/// A media type, as `Content-Type` carries it (RFC 9110, 8.3.1).
package enum MediaType {
    /// Whether the value says JSON: `application/json` or `application/….+json`, whatever its case and parameters.
    package static func isJSON(_ value: String) -> Bool {
        let type = value.prefix { $0 != ";" }.lowercased().split(separator: " ", omittingEmptySubsequences: true)
        guard type.count == 1, let name = type.first else { return false }
        return name == "application/json" || (name.hasPrefix("application/") && name.hasSuffix("+json"))
    }
}
