/// What a provider simulator starts with.
package struct Settings: Sendable {
    /// The secrets of the applications it knows.
    ///
    /// While there are none it takes any application, so that a newcomer can try at once: any id with any secret, except
    /// ids and secrets that start with `bad`.
    package var applications: [String: String]
    /// The life of every token and ticket.
    package var life: Duration
    /// How long the token before the newest goes on working where a mint kills.
    package var overlap: Duration
    /// Peers that may ask for WeChat tokens; empty lets everybody.
    package var allowedAddresses: Set<String>

    package init(
        applications: [String: String] = [:], life: Duration = .seconds(7_200), overlap: Duration = .seconds(300),
        allowedAddresses: Set<String> = []
    ) {
        self.applications = applications
        self.life = life
        self.overlap = overlap
        self.allowedAddresses = allowedAddresses
    }

    enum Judgement {
        case accepted
        case unknownApplication
        case wrongSecret
    }

    func judge(application: String, secret: String) -> Judgement {
        if applications.isEmpty {
            if application.hasPrefix("bad") { return .unknownApplication }
            return secret.hasPrefix("bad") ? .wrongSecret : .accepted
        }
        guard let expected = applications[application] else { return .unknownApplication }
        return expected == secret ? .accepted : .wrongSecret
    }
}
