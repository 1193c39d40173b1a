package import HTTP
package import JSON
package import Tokens

/// How to ask a provider for a token and how to read its answer; `docs/recipes.md` describes the JSON.
package struct Recipe: Sendable, Equatable {
    /// How the body goes out and how the answer is read.
    package enum ContentType: String, Sendable, CaseIterable {
        /// Both are JSON.
        case json
        /// The body is JSON, as the predecessor's was; the whole answer is the token.
        case text
        /// The body is `application/x-www-form-urlencoded`, the answer JSON.
        case form
    }

    package enum Place: String, Sendable, CaseIterable {
        case url, header
        /// The query string where the method is GET.
        case body
    }

    /// What an argument's value is.
    package enum Source: Sendable, Equatable {
        /// A string, a number or a boolean, which keeps its type in a JSON body.
        case constant(JSON.Value)
        /// The credential of that name.
        case credential(String)
    }

    package struct Argument: Sendable, Equatable {
        package var name: String
        package var place: Place
        package var source: Source
        /// What a forced refresh sends in its place; nil for the same.
        package var forced: Source?
    }

    /// What the number at `expires_in_path` counts.
    package enum LifeUnit: String, Sendable, CaseIterable {
        case seconds = "s"
        case milliseconds = "ms"
        /// An instant: seconds since 1970.
        case epochSeconds = "@s"
        /// An instant: milliseconds since 1970.
        case epochMilliseconds = "@ms"
    }

    /// One thing that must hold for the answer to be a success.
    package enum Condition: Sendable, Equatable {
        case absentOr(ValuePath, JSON.Value)
        case equals(ValuePath, JSON.Value)
        case exists(ValuePath, Bool)
        case status([Int])
    }

    package var url: HTTP.URL
    package var method: HTTP.Method
    package var contentType: ContentType
    package var arguments: [Argument]
    /// Nil where the whole answer is the token.
    package var tokenPath: ValuePath?
    package var lifePath: ValuePath?
    package var lifeUnit: LifeUnit
    /// Seconds of life where the answer says nothing; nil means that such a token has no expiry.
    package var life: Int64?
    /// Where a single-use refresh token's successor is; nil where none comes.
    package var refreshTokenPath: ValuePath?
    /// All must hold; nil where the recipe leaves it to the rules for providers in general.
    package var success: [Condition]?
    package var errorCode: ValuePath?
    package var errorMessage: ValuePath?
    /// What the provider's codes mean here, before what they mean in general.
    package var errors: [String: ErrorMeaning]

    /// The credentials that a secret must have, each once, in the order of their use.
    package var credentialNames: [String] {
        var names: [String] = []
        for source in arguments.flatMap({ [$0.source, $0.forced].compactMap { $0 } }) {
            if case .credential(let name) = source, !names.contains(name) { names.append(name) }
        }
        return names
    }
}

/// What a provider's error code means for the next attempt.
package struct ErrorMeaning: Sendable, Equatable {
    package var failureClass: FailureClass
    /// The quota is a whole day's.
    package var isDaily: Bool
    /// How long the provider wants to be left alone; nil for what the class says.
    package var pause: Duration?

    init(_ failureClass: FailureClass, isDaily: Bool = false, pause: Duration? = nil) {
        self.failureClass = failureClass
        self.isDaily = isDaily
        self.pause = pause
    }
}

extension Recipe {
    /// The name under which a secret keeps the refresh token that an administrator brought.
    static let refreshTokenName = "refresh_token"

    /// Whether the call presents a refresh token, so that a refused grant needs a person.
    var usesRefreshToken: Bool {
        arguments.contains { argument in
            argument.name == Recipe.refreshTokenName || argument.source == .credential(Recipe.refreshTokenName)
                || argument.source == .constant(.string(Recipe.refreshTokenName))
        }
    }

    /// Whether a forced refresh asks otherwise than a routine one, and has limits of its own.
    package var hasForcedForm: Bool { arguments.contains { $0.forced != nil && $0.forced != $0.source } }
}

/// What is wrong with a recipe; goes to the administrator as it is.
package struct RecipeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The innermost member: `config.arguments.0.place`.
    package let field: String
    package let problem: String

    package var description: String { "\(field) \(problem)" }

    init(_ field: String, _ problem: String) {
        self.field = field
        self.problem = problem
    }
}
