internal import HTTP
internal import Tokens

/// Every place that a realm's requests put credentials into, and all of the answer that callers are told, as one text that is the same for
/// the same places alone.
///
/// The rule: *does a credential travel somewhere else than before?* Where a request goes is said by its head: the method, the URL with its
/// whole query, and the headers, those that are constants too, for they can name another address or method. Where in it a
/// credential goes is its place and name, in routine and in forced requests. Of the answer callers are told the token and its life, or the
/// provider's error, as `success` decides: the answer may hold a refresh token too, or repeat what it was asked with. So the text holds
///
/// - the method and the URL as it is written,
/// - every argument of the query and of the headers, a constant's value or a credential's name,
/// - every argument of the body that is a credential, and whether the body is a form or JSON,
/// - what of the answer is the token, all of it or what is at a path, where life, error code and message are (an empty path stands for the
///   usual places of an error), and the conditions of `success` as they are written. Those of a `logic_code` are the same for ever.
///
/// It does not hold constants of the body, which go where the rest of it goes, nor how the rest of the answer is read, nor the order of
/// arguments with different names. In doubt it holds more: a confirmation too many costs less than a credential.
struct CredentialPlaces {
    let origin: HTTP.URL.Origin
    /// Every part with its length before it, every list with its count, so that no two lists of parts have the same bytes.
    private(set) var bytes: [UInt8] = []

    init(_ recipe: Recipe) {
        self.init(recipe.method, recipe.url)
        for forced in [false, true] { append(CredentialPlaces.places(of: recipe, forced: forced)) }
        append("token")
        append(recipe.contentType == .text ? "all" : "path")
        for path in [recipe.tokenPath, recipe.lifePath, recipe.errorCode, recipe.errorMessage] {
            append(path?.text ?? "")
        }
        append(recipe.success ?? [])
    }

    /// Of a `logic_code`, which is sent all that the secret has, forced or not.
    init(logicCode url: HTTP.URL) {
        self.init(.post, url)
        for _ in [false, true] { append([Place(part: .json, name: "", content: .everyCredential)]) }
    }

    private init(_ method: HTTP.Method, _ url: HTTP.URL) {
        origin = url.origin
        append("credential places 1")
        append(method.rawValue)
        append(url.text())
    }

    // MARK: Places

    /// The part of a request.
    private enum Part: String {
        case query, header, form, json
    }

    private enum Content {
        case constant(String)
        case credential(String)
        case everyCredential
    }

    private struct Place {
        let part: Part
        let name: String
        let content: Content
    }

    private static func places(of recipe: Recipe, forced: Bool) -> [Place] {
        let places = recipe.arguments.compactMap { argument -> Place? in
            let part = part(of: argument, in: recipe)
            // A header's name is the same in either case.
            let name = part == .header ? argument.name.lowercased() : argument.name
            switch forced ? argument.forced ?? argument.source : argument.source {
            case .credential(let credential): return Place(part: part, name: name, content: .credential(credential))
            case .constant(let value):
                guard part == .query || part == .header else { return nil }
                return Place(part: part, name: name, content: .constant(Scalar.text(value) ?? ""))
            }
        }
        // Of arguments with the same name the first may count, or the last: those keep their order.
        return places.enumerated().sorted { left, right in
            let (one, other) = (left.element, right.element)
            if one.part != other.part { return one.part.rawValue < other.part.rawValue }
            if !one.name.utf8.elementsEqual(other.name.utf8) {
                return one.name.utf8.lexicographicallyPrecedes(other.name.utf8)
            }
            return left.offset < right.offset
        }.map(\.element)
    }

    private static func part(of argument: Recipe.Argument, in recipe: Recipe) -> Part {
        switch (argument.place, recipe.method) {
        case (.header, _): .header
        case (.url, _), (.body, .get): .query
        case (.body, _): recipe.contentType == .form ? .form : .json
        }
    }

    // MARK: The text

    private mutating func append(_ places: [Place]) {
        append("\(places.count)")
        for place in places {
            append(place.part.rawValue)
            append(place.name)
            switch place.content {
            case .constant(let value):
                append("constant")
                append(value)
            case .credential(let name):
                append("credential")
                append(name)
            case .everyCredential:
                append("credentials")
                append("*")
            }
        }
    }

    /// A list that is declared is never empty.
    private mutating func append(_ conditions: [Recipe.Condition]) {
        append("success")
        append("\(conditions.count)")
        for condition in conditions {
            switch condition {
            case .absentOr(let path, let value): append("absent_or", path, Scalar.text(value) ?? "")
            case .equals(let path, let value): append("equals", path, Scalar.text(value) ?? "")
            case .exists(let path, let isThere): append("exists", path, isThere ? "true" : "false")
            case .status(let codes):
                append("status")
                append("\(codes.count)")
                for code in codes { append("\(code)") }
            }
        }
    }

    private mutating func append(_ kind: String, _ path: ValuePath, _ value: String) {
        append(kind)
        append(path.text)
        append(value)
    }

    private mutating func append(_ part: String) {
        bytes += Array("\(part.utf8.count):".utf8)
        bytes += Array(part.utf8)
    }
}
