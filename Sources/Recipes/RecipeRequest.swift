internal import HTTP
internal import JSON
internal import Log

extension Recipe {
    /// Why no request can be made of the recipe and these credentials.
    ///
    /// Names credentials, never a value.
    enum RequestError: Error, Equatable {
        case missingCredential(String)
        /// A line break or another control character in what goes into a header.
        case controlCharacter(argument: String)

        var detail: String {
            switch self {
            case .missingCredential(let name): "The recipe uses the credential \(name), which the secret does not have."
            case .controlCharacter(let name): "The value for the header \(name) holds a control character."
            }
        }
    }

    /// - Parameter forced: sends what the arguments have for a forced refresh.
    func request(
        with credentials: [String: Redacted<String>], forced: Bool = false
    ) throws(RequestError) -> ClientRequest {
        var query = QueryString()
        var form = QueryString()
        var members = JSON.Object()
        var fields = Fields()
        for argument in arguments {
            let value = try value(of: forced ? argument.forced ?? argument.source : argument.source, credentials)
            let text = Scalar.text(value) ?? ""
            switch (argument.place, method) {
            case (.header, _):
                guard let name = Field.Name(argument.name), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                    throw .controlCharacter(argument: argument.name)
                }
                fields.append(name, text)
            case (.url, _), (.body, .get): query.append(argument.name, text)
            case (.body, _) where contentType == .form: form.append(argument.name, text)
            case (.body, _): members[argument.name] = value
            }
        }
        var request = ClientRequest(method, url: url.text(adding: query), fields: fields)
        if contentType == .form {
            request.body = Array(form.encoded.utf8)
        } else if !members.isEmpty {
            request.body = JSON.Value.object(members).encoded
        }
        if !request.body.isEmpty, request.fields[.contentType] == nil {
            request.fields[.contentType] =
                contentType == .form ? "application/x-www-form-urlencoded" : "application/json"
        }
        if request.fields[.accept] == nil, contentType != .text { request.fields[.accept] = "application/json" }
        return request
    }

    private func value(
        of source: Source, _ credentials: [String: Redacted<String>]
    ) throws(RequestError) -> JSON.Value {
        switch source {
        case .constant(let value): return value
        case .credential(let name):
            // The predecessor's columns hold an empty text where nothing is set.
            guard let value = credentials[name]?.reveal(), !value.isEmpty else { throw .missingCredential(name) }
            return .string(value)
        }
    }
}
