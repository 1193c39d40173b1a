internal import JSON

/// An error as `application/problem+json` (RFC 9457).
///
/// Nothing in it is secret.
package struct Problem: Error, Sendable {
    package var status: Status
    /// The last part of `type`: stable, under `/problems/`.
    package var type: String
    package var title: String
    package var detail: String
    /// The innermost member of the input that is wrong: `config.url`.
    package var field: String?
    /// A provider's refusal: its code and message, and the address it names.
    package var provider: Provider?
    /// Whole seconds for `Retry-After`.
    package var retryAfter: Int64?
    /// Other fields the status demands, such as `Allow`.
    package var fields: Fields

    package struct Provider: Sendable, Equatable {
        package var code: String
        package var message: String
        package var address: String?

        package init(code: String, message: String, address: String? = nil) {
            self.code = code
            self.message = message
            self.address = address
        }
    }

    package init(
        _ status: Status, type: String, title: String, detail: String, field: String? = nil, provider: Provider? = nil,
        retryAfter: Int64? = nil, fields: Fields = Fields()
    ) {
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.field = field
        self.provider = provider
        self.retryAfter = retryAfter
        self.fields = fields
    }

    /// A body of more than `Request.largestBody`.
    package static let contentTooLarge = Problem(
        .contentTooLarge, type: "content-too-large", title: "Content too large", detail: "a body has at most 1 MiB")

    package func response(requestID: String) -> Response {
        var members: Object = [
            "type": .string("/problems/" + type), "title": .string(title), "status": Value(Int64(status.code)),
            "detail": .string(detail), "request_id": .string(requestID),
        ]
        if let field { members["field"] = .string(field) }
        if let provider {
            var object: Object = ["code": .string(provider.code), "message": .string(provider.message)]
            if let address = provider.address { object["address"] = .string(address) }
            members["provider"] = .object(object)
        }
        var response = Response(status, fields: fields, body: Value.object(members).encoded)
        response.fields[.contentType] = "application/problem+json"
        response.fields[.cacheControl] = "no-store"
        if let retryAfter { response.fields[.retryAfter] = String(retryAfter) }
        response.notes.append((name: "outcome", value: type))
        return response
    }
}
