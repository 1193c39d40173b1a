internal import HTTP
package import JSON
internal import Tokens

extension Recipe {
    /// Reads a realm's `config`; refuses what it does not know by name.
    package init(parsing config: JSON.Value) throws(RecipeError) {
        let members = try MemberReader(
            config, field: "config",
            names: [
                "url", "method", "content_type", "arguments", "token_path", "expires_in_path", "expires_in_unit",
                "expires_in", "refresh_token_path", "success", "error", "errors",
            ])
        url = try Recipe.url(members)
        method = try Recipe.method(members)
        contentType = try members.choice("content_type") ?? .json
        arguments = try Recipe.arguments(members, in: method, contentType)
        tokenPath = try members.path("token_path")
        lifePath = try members.path("expires_in_path")
        lifeUnit = try members.choice("expires_in_unit") ?? .seconds
        life = try Recipe.life(members)
        refreshTokenPath = try members.path("refresh_token_path")
        success = try Recipe.conditions(members)
        let error = try members["error"].map { value throws(RecipeError) in
            try MemberReader(value, field: "config.error", names: ["code", "message"])
        }
        errorCode = try error?.path("code")
        errorMessage = try error?.path("message")
        errors = try Recipe.errors(members)
        try checkPaths()
        // A successor that no call presents would leave the secret with a refresh token that is used up.
        if refreshTokenPath != nil, !credentialNames.contains(Recipe.refreshTokenName) {
            throw RecipeError(
                members.field("refresh_token_path"), "needs an argument whose value is $\(Recipe.refreshTokenName)")
        }
    }

    private static func url(_ members: MemberReader) throws(RecipeError) -> HTTP.URL {
        try url(try members.requiredString("url"), field: members.field("url"))
    }

    /// A URL that credentials may be sent to.
    static func url(_ text: String, field: String) throws(RecipeError) -> HTTP.URL {
        let url: HTTP.URL
        do {
            url = try HTTP.URL(parsing: text)
        } catch {
            throw RecipeError(field, error.description)
        }
        // What it is confirmed for is kept in a column.
        guard url.origin.text.utf8.count <= Destination.longestOrigin else {
            throw RecipeError(
                field, "has more than \(Destination.longestOrigin) characters of scheme, host and port")
        }
        return url
    }

    private static func method(_ members: MemberReader) throws(RecipeError) -> HTTP.Method {
        guard let text = try members.string("method") else { return .get }
        let known: [HTTP.Method] = [.get, .post, .put, .patch]
        guard let method = known.first(where: { $0.rawValue == text.uppercased() }) else {
            throw RecipeError(members.field("method"), "must be one of GET, POST, PUT, PATCH")
        }
        return method
    }

    private static func arguments(
        _ members: MemberReader, in method: HTTP.Method, _ contentType: ContentType
    ) throws(RecipeError) -> [Argument] {
        var arguments: [Argument] = []
        for (field, value) in try members.list("arguments") ?? [] {
            let entry = try MemberReader(value, field: field, names: ["name", "place", "value", "forced"])
            let name = try entry.requiredString("name")
            guard let place: Place = try entry.choice("place") else {
                throw RecipeError(entry.field("place"), "is required")
            }
            let forced = try entry["forced"].map { value throws(RecipeError) in
                try source(value, field: entry.field("forced"))
            }
            guard let value = entry["value"] else { throw RecipeError(entry.field("value"), "is required") }
            let argument = Argument(
                name: name, place: place, source: try source(value, field: entry.field("value")), forced: forced)
            if place == .header { try checkHeader(argument, entry) }
            let isJSONMember = place == .body && method != .get && contentType != .form
            if isJSONMember, arguments.contains(where: { $0.place == .body && $0.name == name }) {
                throw RecipeError(entry.field("name"), "is in the body already")
            }
            arguments.append(argument)
        }
        return arguments
    }

    /// `$name` is a credential, `$$…` a literal that starts with one `$`.
    private static func source(_ value: JSON.Value, field: String) throws(RecipeError) -> Source {
        switch value {
        case .string(let text) where text.hasPrefix("$$"): return .constant(.string(String(text.dropFirst())))
        case .string(let text) where text.hasPrefix("$"):
            let name = text.dropFirst()
            guard !name.isEmpty, name.utf8.count <= 100, name.utf8.allSatisfy(isNameCharacter) else {
                throw RecipeError(
                    field, "must be $ and a credential's name, or start with $$ for a literal $")
            }
            return .credential(String(name))
        case .string, .number, .bool: return .constant(value)
        default: throw RecipeError(field, "must be a string, a number or a boolean")
        }
    }

    /// Lists of codes by what they mean; a code stands in one of them.
    private static func errors(_ members: MemberReader) throws(RecipeError) -> [String: ErrorMeaning] {
        guard let value = members["errors"] else { return [:] }
        let daily = "daily_quota"
        let lists = try MemberReader(
            value, field: members.field("errors"), names: FailureClass.allCases.map(\.rawValue) + [daily])
        var meanings: [String: ErrorMeaning] = [:]
        for name in FailureClass.allCases.map(\.rawValue) + [daily] {
            for (field, value) in try lists.list(name) ?? [] {
                guard let code = Scalar.text(value), (1...100).contains(code.utf8.count), value.bool == nil,
                    code.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
                else {
                    throw RecipeError(field, "must be a code: a number, or a string of 1–100 visible bytes")
                }
                if meanings[code] != nil { throw RecipeError(field, "is listed already") }
                meanings[code] = ErrorMeaning(
                    FailureClass(rawValue: name) ?? .quota, isDaily: name == daily)
            }
        }
        return meanings
    }

    private static func checkHeader(_ argument: Argument, _ entry: MemberReader) throws(RecipeError) {
        guard let name = Field.Name(argument.name) else {
            throw RecipeError(entry.field("name"), "is not a header's name")
        }
        guard !reservedFields.contains(name.lowercased) else {
            throw RecipeError(entry.field("name"), "is a header that the client sets itself")
        }
        for (member, source) in [("value", argument.source), ("forced", argument.forced)] {
            if case .constant(.string(let text)) = source, text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
                throw RecipeError(entry.field(member), "holds a control character")
            }
        }
    }

    private static func life(_ members: MemberReader) throws(RecipeError) -> Int64? {
        guard let value = members["expires_in"] else { return nil }
        guard let seconds = value.number?.integer, seconds > 0, seconds <= Life.longest else {
            throw RecipeError(members.field("expires_in"), "must be whole seconds from 1 to \(Life.longest)")
        }
        return seconds
    }

    private static func conditions(_ members: MemberReader) throws(RecipeError) -> [Condition]? {
        guard let list = try members.list("success") else { return nil }
        guard !list.isEmpty else { throw RecipeError(members.field("success"), "must have at least one condition") }
        var conditions: [Condition] = []
        for (field, value) in list {
            let entry = try MemberReader(
                value, field: field, names: ["path", "absent_or", "equals", "exists", "status"])
            conditions.append(try condition(entry))
        }
        return conditions
    }

    private static func condition(_ entry: MemberReader) throws(RecipeError) -> Condition {
        let tests = ["absent_or", "equals", "exists", "status"].filter { entry[$0] != nil }
        guard tests.count == 1, let test = tests.first, let operand = entry[test] else {
            throw RecipeError(entry.field, "must have exactly one of absent_or, equals, exists, status")
        }
        if test == "status" {
            if entry["path"] != nil { throw RecipeError(entry.field("path"), "does not go with status") }
            let codes = (operand.array ?? [operand]).map { $0.number?.integer ?? 0 }
            guard !codes.isEmpty, codes.allSatisfy({ (200...599).contains($0) }) else {
                throw RecipeError(entry.field("status"), "must be an HTTP status or a list of them")
            }
            return .status(codes.map { Int($0) })
        }
        guard let path = try entry.path("path") else { throw RecipeError(entry.field("path"), "is required") }
        if test == "exists" {
            guard let isThere = operand.bool else { throw RecipeError(entry.field("exists"), "must be true or false") }
            return .exists(path, isThere)
        }
        guard Scalar.text(operand) != nil else {
            throw RecipeError(entry.field(test), "must be a string, a number or a boolean")
        }
        return test == "equals" ? .equals(path, operand) : .absentOr(path, operand)
    }

    private func checkPaths() throws(RecipeError) {
        guard contentType == .text else {
            if tokenPath == nil { throw RecipeError("config.token_path", "is required") }
            return
        }
        if refreshTokenPath != nil {
            throw RecipeError("config.refresh_token_path", "has no place where content_type is text")
        }
        if tokenPath != nil { throw RecipeError("config.token_path", "has no place where content_type is text") }
        if lifePath != nil { throw RecipeError("config.expires_in_path", "has no place where content_type is text") }
        for (index, condition) in (success ?? []).enumerated() {
            guard case .status = condition else {
                throw RecipeError("config.success.\(index).path", "has no place where content_type is text")
            }
        }
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// They frame the message or name the peer (RFC 9110, 7).
    private static let reservedFields: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
        "proxy-authorization", "proxy-connection",
    ]
}
