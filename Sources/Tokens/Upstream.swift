package import Clocks
package import Log

/// A provider's refusal or failure, as it may be shown: codes and words, nothing secret.
package struct UpstreamFailure: Error, Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// The provider answered that it will not, or what cannot be used: 502.
        case refused
        /// No answer could be had: 503.
        case unreachable
        /// The recipe or the credentials cannot make a request: 502.
        case unusable
        /// The credentials were entered for another destination: 409 until an administrator confirms.
        case unconfirmed
        /// The stored credentials do not open: 409 until an administrator enters them again.
        case quarantined
    }

    package var kind: Kind
    package var failureClass: FailureClass
    /// One sentence for the caller.
    package var detail: String
    /// The provider's own code and message, cleaned; nil where it gave none.
    package var code: String?
    package var message: String?
    /// The caller's address as the provider saw and refused it.
    package var address: String?
    /// How long the provider asked to be left alone.
    package var retryAfter: Duration?
    /// A quota of a whole day is used up: nothing will help before the provider's midnight.
    package var isDaily: Bool

    package init(
        _ kind: Kind, _ failureClass: FailureClass, detail: String, code: String? = nil, message: String? = nil,
        address: String? = nil, retryAfter: Duration? = nil, isDaily: Bool = false
    ) {
        self.kind = kind
        self.failureClass = failureClass
        self.detail = detail
        self.code = code
        self.message = message
        self.address = address
        self.retryAfter = retryAfter
        self.isDaily = isDaily
    }
}

extension UpstreamFailure {
    static let shortLived = UpstreamFailure(
        .refused, .transient, detail: "The provider's token has less than 2 s to live, and cannot be used.")

    /// Nothing can be asked of the provider for this secret.
    static func quarantined(_ id: SecretID) -> UpstreamFailure {
        UpstreamFailure(
            .quarantined, .configuration,
            detail:
                "the stored credentials of key \(id.key) in realm \(id.realm) do not open with any of the master keys; an administrator must enter them again"
        )
    }
}

/// What became of one call to a provider.
package enum MintOutcome: Sendable {
    /// A token, how long it lives from the moment the request was sent (nil for one without expiry), and the refresh token that
    /// replaces the one that was used up.
    case minted(Redacted<String>, life: Duration?, refreshToken: Redacted<String>? = nil)
    /// Certainly no mint: no connection, a refusal, an error body.
    case refused(UpstreamFailure)
    /// A complete answer that cannot be used: a mint may have happened, and nothing is under way any more.
    case unusable(UpstreamFailure)
    /// Bytes were sent and no complete answer came: a mint may have happened or may still happen.
    case ambiguous(UpstreamFailure)
    /// The look before sending said no; nothing was sent.
    case stopped
}

/// Calls providers.
///
/// One value belongs to one worker.
package protocol Upstream: AnyObject {
    /// Makes one call, or several where the recipe says so; blocks for `timeout` at the most.
    ///
    /// - Parameters:
    ///   - forced: a new token is wanted even where the provider would give the old one again.
    ///   - look: called when the connection stands and nothing has been sent; answers the database's clock, nil stops the call.
    ///   - sent: called when the request has been handed to the socket.
    func mint(
        _ material: Material, forced: Bool, timeout: Duration, look: () -> Timestamp?, sent: () -> Void
    ) -> MintOutcome
}
