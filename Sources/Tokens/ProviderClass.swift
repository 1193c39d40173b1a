/// What a provider does with the old token when it is asked for a new one (`docs/token-lifetime.md`).
package enum ProviderClass: String, Sendable, CaseIterable {
    /// A mint ends the token before after an overlap, and only the newest two live.
    case killsPrevious = "A"
    /// The same token until the last part of its life, then a new one; a forced mint ends the token before.
    case sameUntilWindow = "B"
    /// The same token while it is valid.
    case sameWhileValid = "C"
    /// The same token, its life extended.
    case extends = "D"
    /// Tokens do not touch each other.
    case independent = "E"
    /// A new token with every call, and nothing is said of the old one: taken for `killsPrevious`.
    case unspecified = "F"
    /// The call consumes a refresh token and issues the next one.
    case singleUse = "G"
}
