internal import Clocks
internal import HTTP
internal import JSON
internal import Log
internal import Tokens

/// Judges a complete answer by its recipe.
///
/// | answer | outcome |
/// |---|---|
/// | success by the rule, and a token | minted |
/// | success by the rule, no usable token or life; broken JSON or empty with 2xx | unusable: a token may have been issued |
/// | success rule fails, 4xx, or a redirect | refused, classified by the provider's code, else by the status |
/// | 5xx with an error code that is known or declared | refused: the provider itself spoke |
/// | any other 5xx | ambiguous: whatever stands before the provider may have given up on a request that goes on |
struct RecipeAnswer {
    let recipe: Recipe
    let response: ClientResponse
    let now: Timestamp
    /// Whether the request had a form of its own because a new token was forced.
    private let isForcedForm: Bool
    private let document: JSON.Value?
    private let shown: ShownText

    init(recipe: Recipe, response: ClientResponse, forced: Bool, secrets: [String], now: Timestamp) {
        isForcedForm = forced && recipe.hasForcedForm
        self.recipe = recipe
        self.response = response
        self.now = now
        let limits = JSON.Limits(depth: 16, nodes: 10_000, bytes: 64 << 10)
        document = try? JSON.Value(parsing: response.body, limits: limits)
        var secrets = secrets
        for path in [recipe.tokenPath, recipe.refreshTokenPath] {
            if let document, let secret = path?.value(in: document)?.string { secrets.append(secret) }
        }
        shown = ShownText(hiding: secrets, and: document)
    }

    var outcome: MintOutcome {
        let status = response.status.code
        if declaresStatus ? holds : response.status.isSuccess { return answered }
        switch status {
        case 500...: return serverError
        case 300..<400:
            return .refused(failure(.configuration, "The provider redirected (\(status)); redirects are not followed."))
        default: return refused(orElse: classOfStatus)
        }
    }

    // MARK: The success rule

    private var declaresStatus: Bool {
        recipe.success?.contains { if case .status = $0 { true } else { false } } ?? false
    }

    /// Whether every declared condition holds; without any, whether nothing says that this is an error.
    private var holds: Bool {
        guard let conditions = recipe.success else {
            return !ProviderCodes.errorMarks.contains { mark in
                document?[mark].map { !RecipeAnswer.isNothing($0) } ?? false
            }
        }
        return conditions.allSatisfy { condition in
            switch condition {
            case .status(let codes): return codes.contains(response.status.code)
            case .equals(let path, let wanted): return value(path).map { Scalar.areEqual($0, wanted) } ?? false
            case .absentOr(let path, let wanted): return value(path).map { Scalar.areEqual($0, wanted) } ?? true
            case .exists(let path, let isThere): return (value(path) != nil) == isThere
            }
        }
    }

    private func value(_ path: ValuePath) -> JSON.Value? {
        document.flatMap { path.value(in: $0) }
    }

    /// What stands for "no error" in a member that could name one.
    private static func isNothing(_ value: JSON.Value) -> Bool {
        switch value {
        case .null, .bool(false): true
        case .string(let text): text.isEmpty || text == "0"
        case .number: Scalar.areEqual(value, 0)
        default: false
        }
    }

    // MARK: Outcomes

    private var answered: MintOutcome {
        if recipe.contentType == .text { return text }
        guard document != nil else {
            return unusable(
                response.body.isEmpty ? "The provider's answer is empty." : "The provider's answer is not JSON.")
        }
        guard holds else { return refused(orElse: .transient) }
        guard let path = recipe.tokenPath, let token = value(path)?.string, !token.isEmpty else {
            if recipe.success == nil, errorCode != nil { return refused(orElse: .transient) }
            return unusable("The provider's answer has no token at \(recipe.tokenPath?.text ?? "token_path").")
        }
        return mint(token)
    }

    private var text: MintOutcome {
        let token = String(decoding: response.body, as: UTF8.self).drop { $0.isWhitespace }
        let trimmed = String(token.reversed().drop { $0.isWhitespace }.reversed())
        guard let first = trimmed.first else { return unusable("The provider's answer is empty.") }
        // A page or a document in place of a token is what gateways and providers answer in trouble.
        guard first != "<", first != "{", trimmed.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return unusable("The provider's answer is not a token.")
        }
        return mint(trimmed)
    }

    private func mint(_ token: String) -> MintOutcome {
        let isPrintable = token.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard isPrintable, token.utf8.count <= RecipeAnswer.longestToken else {
            return unusable("The provider's token is too long or holds a control character.")
        }
        let refreshToken = recipe.refreshTokenPath.flatMap { value($0)?.string }.flatMap { text in
            text.isEmpty || text.utf8.count > RecipeAnswer.longestToken ? nil : Redacted(text)
        }
        guard let path = recipe.lifePath, let value = value(path) else {
            return .minted(Redacted(token), life: recipe.life.map { .seconds($0) }, refreshToken: refreshToken)
        }
        guard let life = Life.read(value, recipe.lifeUnit, now: now) else {
            return unusable("The life of the provider's token, at \(path.text), is not a number, or below 0.")
        }
        return .minted(Redacted(token), life: life, refreshToken: refreshToken)
    }

    private func unusable(_ detail: String) -> MintOutcome {
        .unusable(failure(.transient, detail))
    }

    private func refused(orElse fallback: FailureClass) -> MintOutcome {
        let failureClass = meaning?.failureClass ?? fallback
        return .refused(failure(failureClass, "The provider refused to issue a token (HTTP \(response.status.code))."))
    }

    private var serverError: MintOutcome {
        if meaning != nil || declaredErrorCode != nil {
            return refused(orElse: .transient)
        }
        return .ambiguous(failure(.transient, "The provider failed (HTTP \(response.status.code))."))
    }

    private var classOfStatus: FailureClass {
        switch response.status.code {
        case 429: .quota
        // GitHub's way of saying so.
        case 403 where retryAfter != nil: .quota
        case 408, 425: .transient
        default: .configuration
        }
    }

    // MARK: The provider's words

    private func failure(_ failureClass: FailureClass, _ detail: String) -> UpstreamFailure {
        let message = errorMessage
        let address = failureClass == .address ? message.flatMap(NamedAddress.first) : nil
        return UpstreamFailure(
            .refused, failureClass,
            detail: [detail, advice(failureClass, address)].compactMap { $0 }.joined(separator: " "),
            code: errorCode.map(shownCode), message: message.map { shown.clean($0) },
            address: address, retryAfter: retryAfter ?? meaning?.pause, isDaily: isDaily && !isForcedForm)
    }

    /// A code that is known holds nothing secret, however much its length looks like it.
    private func shownCode(_ code: String) -> String {
        meaning(code) == nil ? shown.clean(code, limit: 64) : code
    }

    /// What an administrator can do, where the provider's own words do not say it.
    private func advice(_ failureClass: FailureClass, _ address: String?) -> String? {
        switch failureClass {
        case .address:
            let who = address.map { "the address \($0)" } ?? "this function's outbound address"
            if errorCode.map(ProviderCodes.awaitsConfirmation) ?? false {
                return "An administrator of the account must confirm calls from \(who) at the provider."
            }
            return
                "Add \(who) to the application's list of allowed addresses at the provider; a function needs a fixed outbound address for that."
        case .reauthorise:
            return
                "The refresh token is used up or revoked: authorise again, and store the new one as the credential refresh_token."
        case .quota where isDaily:
            return isForcedForm
                ? "The day's quota of forced refreshes is used up; others go on." : "The day's quota is used up."
        case .configuration, .quota, .transient: return nil
        }
    }

    /// Whether nothing will help before the provider's midnight.
    private var isDaily: Bool {
        guard let code = errorCode, meaning?.isDaily ?? false else { return false }
        if recipe.errors[code] != nil { return true }
        return errorMessage?.lowercased().split { !$0.isLetter }.contains { $0 == ProviderCodes.frequencyWord } != true
    }

    private var meaning: ErrorMeaning? { errorCode.flatMap { meaning($0) } }

    /// What a code means: as the recipe says, else as it is known to mean in general.
    private func meaning(_ code: String) -> ErrorMeaning? {
        if let meaning = recipe.errors[code] { return meaning }
        // A grant that is refused is a refresh token that is no more, where that is what was presented.
        if code == "invalid_grant", recipe.usesRefreshToken { return ErrorMeaning(.reauthorise) }
        return ProviderCodes.meaning(code)
    }

    private var declaredErrorCode: String? {
        recipe.errorCode.flatMap { value($0) }.flatMap { RecipeAnswer.isNothing($0) ? nil : Scalar.text($0) }
    }

    private var errorCode: String? {
        if recipe.errorCode != nil { return declaredErrorCode }
        return undeclared?.code
    }

    private var errorMessage: String? {
        if let path = recipe.errorMessage { return value(path).flatMap { Scalar.text($0) } }
        return undeclared?.message
    }

    /// The first code at the usual places that is known, else the first at all; with a message, where one is beside it.
    private var undeclared: (code: String, message: String?)? {
        let places = ProviderCodes.places + (response.status.isSuccess ? [] : ProviderCodes.failurePlaces)
        let found = places.compactMap { place -> (code: String, message: String?)? in
            guard let value = ValuePath(place.code).flatMap({ self.value($0) }), !RecipeAnswer.isNothing(value),
                let code = Scalar.text(value)
            else { return nil }
            return (code, ValuePath(place.message).flatMap { self.value($0) }.flatMap { Scalar.text($0) })
        }
        guard let code = (found.first { meaning($0.code) != nil } ?? found.first)?.code else { return nil }
        return (code, found.first { $0.code == code && $0.message != nil }?.message)
    }

    /// A day at most; a date is counted from the provider's own clock where the answer tells it (RFC 9110, 10.2.3).
    private var retryAfter: Duration? {
        guard let text = response.fields[.retryAfter] else { return nil }
        let day = Duration.seconds(86_400)
        if let seconds = Int64(text) { return seconds > 0 ? min(.seconds(seconds), day) : nil }
        guard let date = Timestamp(httpDate: text) else { return nil }
        let pause = date - (response.fields[.date].flatMap { Timestamp(httpDate: $0) } ?? now)
        return pause > .zero ? min(pause, day) : nil
    }

    /// What every store has room for, and more than any provider issues.
    private static let longestToken = 16 << 10
}
