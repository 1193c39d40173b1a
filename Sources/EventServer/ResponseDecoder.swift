package import HTTP
internal import JSON

/// Turns what a function answered into the HTTP response that AWS would send for it.
package struct ResponseDecoder: Sendable {
    package let shape: EventShape

    package init(shape: EventShape) {
        self.shape = shape
    }

    /// Why the cloud would answer 502 instead; shown in a header of that answer.
    package struct Mismatch: Error, Equatable, Sendable {
        package let reason: String
    }

    package func response(from bytes: [UInt8]) throws(Mismatch) -> Response {
        if shape == .url, let streamed = try streamed(bytes) { return streamed }
        let value = try? JSON.Value(parsing: bytes)
        guard let object = value?.object, object["statusCode"] != nil else {
            // Payload 2.0 infers the rest: valid JSON without a status is the body itself.
            guard shape == .v2 || shape == .url, let value else {
                throw Mismatch(reason: value == nil ? "the response is not JSON" : "statusCode is missing")
            }
            return Response(.ok, json: value)
        }
        let status = try status(object["statusCode"])
        var response = Response(Status(code: status), fields: try fields(object), body: try body(object))
        if !response.body.isEmpty, response.fields[.contentType] == nil {
            response.fields[.contentType] =
                shape == .v1 || shape == .v2 || shape == .url ? "application/json" : "application/octet-stream"
        }
        return response
    }

    /// What a function writes that streams to its URL: a prelude of JSON, eight NULs, the body as it is; nil for anything else.
    ///
    /// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
    private func streamed(_ bytes: [UInt8]) throws(Mismatch) -> Response? {
        // JSON has no NUL, so what lies before the first one is the prelude.
        guard let end = bytes.firstIndex(of: 0) else { return nil }
        let rest = bytes[end...]
        guard rest.prefix(8).elementsEqual(repeatElement(0, count: 8)),
            let object = (try? JSON.Value(parsing: bytes[..<end]))?.object
        else { throw Mismatch(reason: "the prelude is not JSON and eight NULs") }
        let status = try object["statusCode"].map { value throws(Mismatch) in try self.status(value) } ?? 200
        var response = Response(Status(code: status), fields: try fields(object), body: Array(rest.dropFirst(8)))
        if response.fields[.contentType] == nil { response.fields[.contentType] = "application/octet-stream" }
        return response
    }

    private func status(_ value: JSON.Value?) throws(Mismatch) -> Int {
        // A load balancer wants a number; API Gateway takes a numeric string too.
        let number: Int64? =
            switch value {
            case .number(let number)?: number.integer
            case .string(let text)? where shape == .v1: Int64(text)
            default: nil
            }
        guard let number, (100...599).contains(number) else { throw Mismatch(reason: "statusCode is not a status") }
        return Int(number)
    }

    private func body(_ object: Object) throws(Mismatch) -> [UInt8] {
        let isBase64: Bool
        switch object["isBase64Encoded"] {
        case nil, .null?: isBase64 = false
        case .bool(let flag)?: isBase64 = flag
        default: throw Mismatch(reason: "isBase64Encoded is not a boolean")
        }
        switch object["body"] {
        case nil, .null?: return []
        case .string(let text)?:
            guard isBase64 else { return Array(text.utf8) }
            guard let bytes = Base64Text.decode(text) else { throw Mismatch(reason: "body is not base64") }
            return bytes
        default: throw Mismatch(reason: "body is not a string")
        }
    }

    private func fields(_ object: Object) throws(Mismatch) -> Fields {
        var fields = Fields()
        let multiple = try members(object, "multiValueHeaders")
        if shape == .albMulti, multiple == nil, object["headers"] != nil {
            throw Mismatch(reason: "this target group wants multiValueHeaders")
        }
        if shape == .alb, multiple != nil, object["headers"] == nil {
            throw Mismatch(reason: "this target group wants headers")
        }
        if shape != .albMulti {
            for (name, value) in try members(object, "headers") ?? []
            // REST alone merges both: there the list wins.
            where shape != .v1 || multiple?.contains(where: { $0.name == name }) != true {
                try append(name, value, to: &fields)
            }
        }
        if shape == .v1 || shape == .albMulti {
            for (name, value) in multiple ?? [] {
                guard let values = value.array else {
                    throw Mismatch(reason: "multiValueHeaders.\(name) is not an array")
                }
                for value in values { try append(name, value, to: &fields) }
            }
        }
        if shape == .v2 || shape == .url, let cookies = object["cookies"]?.array {
            for cookie in cookies { try append("set-cookie", cookie, to: &fields) }
        }
        return fields
    }

    private func members(_ object: Object, _ name: String) throws(Mismatch) -> [(name: String, value: JSON.Value)]? {
        switch object[name] {
        case nil, .null?: return nil
        case .object(let members)?: return members.members
        default: throw Mismatch(reason: "\(name) is not an object")
        }
    }

    private func append(_ name: String, _ value: JSON.Value, to fields: inout Fields) throws(Mismatch) {
        guard let fieldName = Field.Name(name) else { throw Mismatch(reason: "a header has no valid name") }
        // The front writes these itself; a length counts in an answer to HEAD alone.
        if [.transferEncoding, .connection].contains(fieldName) { return }
        switch value {
        case .string(let text): fields.append(fieldName, text)
        case .number(let number): fields.append(fieldName, number.text)
        case .bool(let flag): fields.append(fieldName, flag ? "true" : "false")
        default: throw Mismatch(reason: "the header \(name) is not text")
        }
    }
}
