package import Clocks
package import HTTP
internal import JSON
internal import Log
package import Tokens

/// Fetches tokens by recipe or `logic_code`: one request per call, judged by what was sent and what came back.
package final class RecipeUpstream: Upstream {
    private let client: any HTTP.Client
    private let egress: EgressPolicy

    package init(client: any HTTP.Client, egress: EgressPolicy) {
        self.client = client
        self.egress = egress
    }

    package func mint(
        _ material: Material, forced: Bool, timeout: Duration, look: () -> Timestamp?, sent: () -> Void
    ) -> MintOutcome {
        let plan: (recipe: Recipe, request: ClientRequest)
        do {
            plan = try self.plan(material, forced: forced)
        } catch {
            return .refused(error)
        }
        var limits = ClientLimits()
        limits.total = timeout
        limits.connect = min(limits.connect, timeout)
        do {
            // Lives that a provider gives as an instant are counted by the clock that expiries are kept in.
            var now = Timestamp(milliseconds: 0)
            let response = try client.send(
                plan.request, limits: limits,
                willSend: {
                    guard let looked = look() else { return false }
                    now = looked
                    return true
                }, didSend: sent)
            let secrets =
                material.credentials.values.map { $0.reveal() } + [material.refreshToken?.reveal()].compactMap { $0 }
            return RecipeAnswer(
                recipe: plan.recipe, response: response, forced: forced, secrets: secrets, now: now
            ).outcome
        } catch {
            return RecipeUpstream.outcome(error)
        }
    }

    // MARK: The request

    private func plan(_ material: Material, forced: Bool) throws(UpstreamFailure) -> (Recipe, ClientRequest) {
        if let config = material.config {
            let recipe = try RecipeUpstream.recipe(config)
            try check(CredentialPlaces(recipe), material)
            do {
                var credentials = material.credentials
                // The newest that the provider issued; the credential is where its line began.
                if let refreshToken = material.refreshToken { credentials[Recipe.refreshTokenName] = refreshToken }
                return (recipe, try recipe.request(with: credentials, forced: forced))
            } catch {
                throw RecipeUpstream.unusable(error.detail)
            }
        }
        guard !material.logicCode.isEmpty else {
            throw RecipeUpstream.unusable("The realm has neither config nor logic_code.")
        }
        guard let url = try? LogicCode.url(material.logicCode) else {
            throw RecipeUpstream.unusable("The realm's logic_code is not a URL that can be used.")
        }
        try check(CredentialPlaces(logicCode: url), material)
        return (LogicCode.recipe(url), LogicCode.request(url, material))
    }

    private static func recipe(_ config: String) throws(UpstreamFailure) -> Recipe {
        guard let value = try? JSON.Value(parsing: config.utf8) else {
            throw unusable("The realm's config is not JSON.")
        }
        do {
            return try Recipe(parsing: value)
        } catch {
            throw unusable("The realm's recipe cannot be used: \(error.description).")
        }
    }

    private func check(_ places: CredentialPlaces, _ material: Material) throws(UpstreamFailure) {
        if let refusal = egress.permits(places.origin) {
            throw RecipeUpstream.unusable("The provider may not be called: \(refusal.description).")
        }
        guard let confirmed = material.confirmedFor else { return }
        guard let destination = try? Destination(places) else {
            throw RecipeUpstream.unusable("Where the credentials go cannot be compared with what is confirmed.")
        }
        guard confirmed.permits(destination) else {
            throw UpstreamFailure(
                .unconfirmed, .configuration,
                detail:
                    "The realm's recipe sends these credentials elsewhere than where they were entered for, or tells "
                    + "callers something else of the answer: an administrator must confirm it by POST "
                    + "/api/realm/:id/confirm, or enter all of them again.")
        }
    }

    private static func unusable(_ detail: String) -> UpstreamFailure {
        UpstreamFailure(.unusable, .configuration, detail: detail)
    }

    // MARK: No answer

    private static func outcome(_ error: ClientError) -> MintOutcome {
        switch error {
        case .notSent(.stopped): .stopped
        case .notSent(let reason):
            switch reason {
            case .badURL, .refusedAddress:
                .refused(unusable("The provider may not be called: \(reason.rawValue)."))
            default:
                .refused(
                    UpstreamFailure(
                        .unreachable, .transient, detail: "The provider cannot be reached: \(reason.rawValue)."))
            }
        case .ambiguous(let reason):
            switch reason {
            case .tooLarge, .malformed:
                .ambiguous(
                    UpstreamFailure(
                        .refused, .transient, detail: "The provider's answer cannot be used: \(reason.rawValue)."))
            case .timeout, .reset, .truncated:
                .ambiguous(
                    UpstreamFailure(
                        .unreachable, .transient, detail: "The provider did not answer: \(reason.rawValue)."))
            }
        }
    }
}
