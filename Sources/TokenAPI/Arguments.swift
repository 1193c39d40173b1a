internal import HTTP
internal import JSON

/// The arguments of one request: the query, and where the route takes one a JSON object as body.
///
/// Strict about both.
struct Arguments {
    private let query: QueryString
    private let body: Object?

    /// - Parameter members: the members that the body may have; nil where the route takes no body and ignores one.
    init(_ request: Request, members: Set<String>?) throws(Problem) {
        guard let query = QueryString(parsing: request.query) else {
            throw .badInput("query", "has a broken percent-escape or is not UTF-8")
        }
        var seen: Set<String> = []
        for parameter in query.parameters where !seen.insert(parameter.name).inserted {
            throw .badInput(Arguments.shown(parameter.name) ?? "query", "is given more than once")
        }
        self.query = query
        body = if let members { try Arguments.body(of: request, members: members) } else { nil }
    }

    private static func body(of request: Request, members: Set<String>) throws(Problem) -> Object? {
        if request.body.isEmpty { return nil }
        if request.body.count > Request.largestBody { throw .contentTooLarge }
        if !request.fields.values(.contentType).allSatisfy(MediaType.isJSON) {
            throw Problem(
                .unsupportedMediaType, type: "unsupported-media-type", title: "Unsupported media type",
                detail: "the body must be application/json")
        }
        let value: Value
        do throws(ParseError) {
            value = try Value(
                parsing: request.body, limits: Limits(depth: 32, nodes: 20_000, bytes: Request.largestBody))
        } catch {
            throw .badInput("body", "is not JSON: \(error)")
        }
        guard let object = value.object else { throw .badInput("body", "must be a JSON object") }
        if let unknown = object.names.first(where: { !members.contains($0) }) {
            guard let name = shown(unknown) else { throw .badInput("body", "has a member that is not known here") }
            throw .badInput(name, "is not known here")
        }
        return object
    }

    /// A name that may be one: what stands in its place by mistake, as a credential, is not repeated.
    private static func shown(_ name: String) -> String? {
        let letters = name.utf8.count { (0x61...0x7A).contains($0 | 0x20) || $0 == UInt8(ascii: "_") }
        let digits = name.utf8.count { (0x30...0x39).contains($0) }
        let isName = letters + digits == name.utf8.count && letters <= 24 && (digits == 0 || name.utf8.count <= 8)
        return isName ? name : nil
    }

    /// The member of the body as it was sent; nil where it is absent.
    func member(_ name: String) -> Value? { body?[name] }

    var members: [(name: String, value: Value)] { body?.members ?? [] }

    /// Text from the query or else from the body; an absent one is nil, an empty one or JSON `null` too.
    func text(_ name: String) throws(Problem) -> String? {
        // A database may take a NUL for the end of the text.
        if let value = query.value(name) {
            if value.utf8.contains(0) { throw .badInput(name, "has a NUL character") }
            return value.isEmpty ? nil : value
        }
        switch body?[name] {
        case nil, .null?: return nil
        case .string(let text)?:
            if text.utf8.contains(0) { throw .badInput(name, "has a NUL character") }
            return text.isEmpty ? nil : text
        default: throw .badInput(name, "must be text")
        }
    }

    /// Whether it is given, as an empty text.
    func isEmpty(_ name: String) -> Bool {
        if let value = query.value(name) { return value.isEmpty }
        return body?[name]?.string?.isEmpty ?? false
    }

    func required(_ name: String) throws(Problem) -> String {
        if let text = try text(name) { return text }
        throw .badInput(name, "is missing")
    }

    /// `true` or `false`, as query text or as JSON boolean.
    func flag(_ name: String) throws(Problem) -> Bool {
        if let text = query.value(name) {
            switch text {
            case "true": return true
            case "false": return false
            default: throw .badInput(name, "must be true or false")
            }
        }
        switch body?[name] {
        case nil: return false
        case .bool(let flag)?: return flag
        default: throw .badInput(name, "must be true or false")
        }
    }

    /// A whole number within the range, as query text or as JSON number.
    func integer(_ name: String, in range: ClosedRange<Int64>) throws(Problem) -> Int64? {
        let number: Int64?
        if let text = query.value(name) {
            number = text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) ? Int64(text) : nil
        } else {
            switch body?[name] {
            case nil, .null?: return nil
            case .number(let value)?: number = value.integer
            default: number = nil
            }
        }
        guard let number, range.contains(number) else {
            throw .badInput(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
