internal import Clocks
internal import HTTP
internal import Tokens

/// The one place that knows which status an error has.
extension Problem {
    static func badInput(_ field: String, _ detail: String) -> Problem {
        Problem(.badRequest, type: "bad-input", title: "Bad input", detail: "\(field) \(detail)", field: field)
    }

    static let malformedPath = Problem(
        .badRequest, type: "bad-input", title: "Bad input", detail: "path is not a path of plain, valid segments",
        field: "path")
    static let noRoute = Problem(.notFound, type: "not-found", title: "Not found", detail: "there is no such route")
    static let unknownRealm = Problem(
        .notFound, type: "realm-not-found", title: "Realm not found", detail: "there is no such realm", field: "realm")
    static let unknownSecret = Problem(
        .notFound, type: "secret-not-found", title: "Secret not found", detail: "there is no such secret in this realm",
        field: "key")
    static let realmHasSecrets = Problem(
        .conflict, type: "realm-has-secrets", title: "Realm has secrets",
        detail: "delete the secrets of this realm first, then the realm")
    static let destinationChanged = Problem(
        .conflict, type: "destination-changed", title: "Destination changed",
        detail: "this is not where the realm's credentials go: read the realm and confirm what it says",
        field: "destination")
    static let databaseUnavailable = Problem(
        .serviceUnavailable, type: "database-unavailable", title: "Database unavailable",
        detail: "the database cannot be reached; nothing was changed that is not stored whole", retryAfter: 1)
    static let inconsistent = Problem(
        .internalServerError, type: "internal", title: "Internal error",
        detail: "the stored data or its schema is not what this version expects; the log says where")

    static func methodNotAllowed(_ allowed: [Method]) -> Problem {
        Problem(
            .methodNotAllowed, type: "method-not-allowed", title: "Method not allowed",
            detail: "this route answers \(allowed.map(\.rawValue).joined(separator: ", "))",
            fields: Fields([Field(.allow, allowed.map(\.rawValue).joined(separator: ", "))]))
    }

    static func unauthorized(_ detail: String) -> Problem {
        Problem(
            .unauthorized, type: "unauthorized", title: "Unauthorized", detail: detail,
            fields: Fields([Field(.wwwAuthenticate, "Bearer realm=\"token-server\"")]))
    }

    static func tooManyRequests(retryAfter: Duration) -> Problem {
        Problem(
            .tooManyRequests, type: "too-many-requests", title: "Too many requests",
            detail: "this API key, or bad ones from this address, are used more often than one instance allows",
            retryAfter: seconds(retryAfter))
    }

    init(_ error: StoreError) {
        switch error {
        case .unavailable, .uncertain: self = .databaseUnavailable
        case .broken, .quarantined: self = .inconsistent
        }
    }

    init(_ refusal: Refusal) {
        switch refusal {
        case .denied(let denial): self.init(denial)
        case .unknownRealm: self = .unknownRealm
        case .unknownSecret: self = .unknownSecret
        case .upstream(let failure, let retryAfter): self.init(failure, retryAfter: retryAfter)
        case .busy(let retryAfter):
            self.init(
                .serviceUnavailable, type: "refresh-in-progress", title: "Refresh in progress",
                detail:
                    "a new token could not be had in time: another request is fetching it, or too little time was left",
                retryAfter: Problem.seconds(retryAfter))
        case .held(let retryAfter):
            self.init(
                .serviceUnavailable, type: "refresh-held", title: "Refresh held back",
                detail:
                    "a new token may not be asked for yet: it could end one that is still in use, or be the same again",
                retryAfter: Problem.seconds(retryAfter))
        case .spent(let retryAfter):
            self.init(
                .serviceUnavailable, type: "calls-spent", title: "Calls spent",
                detail: "the calls that this secret may make today are used up, or those that may be forced",
                retryAfter: Problem.seconds(retryAfter))
        case .sameTokenAgain(let retryAfter):
            self.init(
                .serviceUnavailable, type: "same-token-again", title: "Same token again",
                detail: "the provider still gives the token that was reported", retryAfter: Problem.seconds(retryAfter))
        case .noUpstream:
            self.init(
                .conflict, type: "no-upstream", title: "No upstream",
                detail:
                    "this realm has neither config nor logic_code, and no token that lives, or none but the one reported, is stored: store one with PUT /api/secret/:realm/:key/token, or give the realm a recipe"
            )
        case .storeUnavailable: self = .databaseUnavailable
        case .storeBroken: self = .inconsistent
        }
    }

    private init(_ failure: UpstreamFailure, retryAfter: Duration) {
        let provider = failure.code.map {
            Provider(code: $0, message: failure.message ?? "", address: failure.address)
        }
        switch failure.kind {
        case .refused:
            self.init(
                .badGateway, type: "provider-refused", title: "Provider refused", detail: failure.detail,
                provider: provider)
        case .unusable:
            self.init(
                .badGateway, type: "recipe-unusable", title: "Recipe cannot be used", detail: failure.detail,
                provider: provider)
        case .unconfirmed:
            self.init(
                .conflict, type: "confirmation-required", title: "Confirmation required", detail: failure.detail)
        case .quarantined:
            self.init(.conflict, type: "secret-quarantined", title: "Secret quarantined", detail: failure.detail)
        case .unreachable:
            self.init(
                .serviceUnavailable, type: "provider-unreachable", title: "Provider unreachable",
                detail: failure.detail,
                provider: provider)
        }
        self.retryAfter = Problem.seconds(retryAfter)
    }

    private static func seconds(_ duration: Duration) -> Int64 {
        max(1, duration.secondsRoundedUp)
    }
}
