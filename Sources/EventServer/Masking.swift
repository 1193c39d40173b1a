internal import HTTP
internal import JSON

/// Takes out of events and answers what must not lie in a file: credentials of callers and of providers, and tokens.
///
/// By the names of fields, members and parameters; by what a text looks like; and whole where a body is neither JSON nor a form.
struct Masking {
    static let mark = "******"

    /// The ways to what was taken out, as `event.headers.authorization`.
    private(set) var masked: [String] = []

    private static let secretNames: Set<String> = [
        "authorization", "proxy-authorization", "cookie", "cookies", "set-cookie", "x-api-key", "x-fc-access-key-id",
        "x-fc-access-key-secret", "x-fc-security-token", "x-amz-security-token", "ticket", "signature", "api_key",
        "apikey", "private_key", "privatekey", "notice_key", "code_verifier", "assertion",
    ]
    private static let secretParts = ["token", "secret", "password", "credential"]
    /// Names that only speak of a secret: where it stands, how long it lives, of which kind it is.
    private static let harmlessEnds = ["_path", "_type", "_url", "_server", "_kind", "-server", "_state"]

    static func isSecret(_ name: String) -> Bool {
        let name = name.lowercased()
        if secretNames.contains(name) || name.wholeMatch(of: /key_[0-9]+/) != nil { return true }
        return secretParts.contains { name.contains($0) } && !harmlessEnds.contains { name.hasSuffix($0) }
    }

    /// API keys of this service, and whatever stands behind `Bearer`.
    private static func looksSecret(_ text: String) -> Bool {
        text.hasPrefix("Bearer ") || text.prefixMatch(of: /ts_[0-9a-f]+_/) != nil
    }

    /// Notes what was taken out elsewhere.
    mutating func masked(at path: String) {
        masked.append(path)
    }

    // MARK: JSON

    mutating func value(_ value: JSON.Value, at path: String) -> JSON.Value {
        switch value {
        case .object(let object): return .object(members(of: object, at: path))
        case .array(let elements):
            return .array(elements.enumerated().map { self.value($1, at: "\(path).\($0)") })
        case .string(let text): return .string(self.text(text, at: path))
        case .null, .bool, .number: return value
        }
    }

    private mutating func members(of object: Object, at path: String) -> Object {
        let isNamedSecret = object["name"]?.string.map(Masking.isSecret) ?? false
        let isBase64 = object["isBase64Encoded"] == true
        var result = Object()
        for (name, value) in object.members {
            let inner = "\(path).\(name)"
            switch (name, value) {
            case ("body", .string(let text)):
                result[name] = .string(isBase64 ? base64Body(text, at: inner) : body(text, at: inner))
            case ("rawQueryString", .string(let text)): result[name] = .string(query(text, at: inner))
            // An argument of a recipe: `$key_1` stands for a credential, anything else is one.
            case ("value", .string(let text)) where isNamedSecret && text.hasPrefix("$"): result[name] = value
            default:
                let isSecret = Masking.isSecret(name) || (name == "value" && isNamedSecret)
                result[name] = isSecret ? leaves(of: value, at: inner) : self.value(value, at: inner)
            }
        }
        return result
    }

    /// Every text and number below is secret.
    private mutating func leaves(of value: JSON.Value, at path: String) -> JSON.Value {
        switch value {
        case .object(let object):
            return .object(
                Object(object.members.map { (name: $0.name, value: leaves(of: $0.value, at: "\(path).\($0.name)")) }))
        case .array(let elements):
            return .array(elements.enumerated().map { leaves(of: $1, at: "\(path).\($0)") })
        case .string(""), .string(Masking.mark), .null, .bool: return value
        case .string, .number:
            masked.append(path)
            return .string(Masking.mark)
        }
    }

    // MARK: Text

    /// A text that is a document itself is masked inside.
    private mutating func text(_ text: String, at path: String) -> String {
        if let document = Masking.document(text) { return value(document, at: path).text }
        guard Masking.looksSecret(text) else { return text }
        masked.append(path)
        return Masking.mark
    }

    /// A body that is neither JSON nor a form is masked whole: nobody knows what it holds.
    mutating func body(_ text: String, at path: String) -> String {
        if text.isEmpty { return text }
        if let document = Masking.document(text) { return value(document, at: path).text }
        let isForm = text.contains("=") && !text.contains { $0.isWhitespace || $0 == "<" || $0 == "{" }
        if isForm { return query(text, at: path) }
        masked.append(path)
        return Masking.mark
    }

    private mutating func base64Body(_ text: String, at path: String) -> String {
        guard let bytes = Base64Text.decode(text) else { return body(text, at: path) }
        return Base64Text.encode(Array(body(String(decoding: bytes, as: UTF8.self), at: path).utf8))
    }

    mutating func query(_ text: String, at path: String) -> String {
        let pairs = text.split(separator: "&", omittingEmptySubsequences: false).map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = PercentEncoding.decode(parts[0], plusIsSpace: true) ?? String(parts[0])
            guard parts.count == 2, !parts[1].isEmpty, Masking.isSecret(name) else { return String(pair) }
            masked.append("\(path).\(name)")
            return "\(parts[0])=\(Masking.mark)"
        }
        return pairs.joined(separator: "&")
    }

    /// Objects and lists; a bare text or number is no document here.
    private static func document(_ text: String) -> JSON.Value? {
        guard let first = text.utf8.first(where: { $0 > 0x20 }),
            first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
        else { return nil }
        return try? JSON.Value(parsing: text.utf8)
    }
}
