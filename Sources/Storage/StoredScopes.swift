internal import Tokens

/// The scopes of the API keys that this worker has met, read once for each text.
struct StoredScopes {
    /// More keys than one instance serves at a time; beyond it everything is read anew.
    private static let limit = 1_000

    /// By bytes, as names are compared.
    private var byText: [[UInt8]: Scope] = [:]

    mutating func scope(_ text: String?) throws(StoreError) -> Scope {
        guard let text else { return .everything }
        let bytes = Array(text.utf8)
        if let known = byText[bytes] { return known }
        let scope = try ScopeText.decode(text)
        if byText.count >= Self.limit { byText = [:] }
        byText[bytes] = scope
        return scope
    }
}
