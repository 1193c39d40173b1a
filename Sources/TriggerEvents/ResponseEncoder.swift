package import HTTP
package import JSON

/// Writes an `HTTP.Response` in the shape of the trigger that brought the request.
package enum ResponseEncoder {
    /// Appends the response to `writer`.
    ///
    /// The body goes as text where it is text, which every platform hands on unchanged, else as base64. A response to
    /// `HEAD`, and one whose status has no content (RFC 9110, 6.4.1), goes without its body; that to `HEAD` says in
    /// `content-length` how long it is.
    package static func encode(_ response: Response, to method: Method, shape: Shape, into writer: inout Writer) {
        var fields = response.fields
        let hasContent = response.status != .noContent && response.status != .notModified
        if method == .head, hasContent, !response.body.isEmpty || fields[.contentLength] == nil {
            fields[.contentLength] = String(response.body.count)
        } else if method != .head || !hasContent, fields[.contentLength] != nil {
            fields[.contentLength] = nil
        }
        writer.beginObject()
        writer.name("statusCode")
        writer.integer(Int64(response.status.code))
        if shape == .loadBalancer || shape == .loadBalancerMultiValue {
            writer.name("statusDescription")
            writer.string("\(response.status.code) \(response.status.reason)")
        }
        switch shape {
        case .gatewayV2: writeGatewayV2(fields, into: &writer)
        case .gatewayV1: writeGatewayV1(fields, into: &writer)
        case .loadBalancer: writeSingle(fields, into: &writer)
        case .loadBalancerMultiValue: writeLists(of: fields, into: &writer)
        }
        writeBody(hasContent && method != .head ? response.body : [], isText: isText(fields), into: &writer)
        writer.endObject()
    }

    /// One value per name, repeats joined as RFC 9110, 5.3 allows; cookies, which cannot be joined, in a list of their own.
    private static func writeGatewayV2(_ fields: Fields, into writer: inout Writer) {
        writer.name("headers")
        writer.beginObject()
        for name in names(of: fields) where name != .setCookie {
            writer.name(name.lowercased)
            writer.string(fields.values(name).joined(separator: ", "))
        }
        writer.endObject()
        let cookies = fields.values(.setCookie)
        if !cookies.isEmpty {
            writer.name("cookies")
            writeList(cookies, into: &writer)
        }
    }

    /// Single values, and lists only where a name repeats: the gateway merges both.
    private static func writeGatewayV1(_ fields: Fields, into writer: inout Writer) {
        let names = names(of: fields)
        writer.name("headers")
        writer.beginObject()
        for name in names where fields.values(name).count == 1 {
            writer.name(name.lowercased)
            writer.string(fields[name] ?? "")
        }
        writer.endObject()
        let repeated = names.filter { fields.values($0).count > 1 }
        if repeated.isEmpty { return }
        writer.name("multiValueHeaders")
        writer.beginObject()
        for name in repeated {
            writer.name(name.lowercased)
            writeList(fields.values(name), into: &writer)
        }
        writer.endObject()
    }

    /// One value per name.
    ///
    /// The load balancer in this mode has no way to send two cookies: the last one wins, as with the platform.
    private static func writeSingle(_ fields: Fields, into writer: inout Writer) {
        writer.name("headers")
        writer.beginObject()
        for name in names(of: fields) {
            writer.name(name.lowercased)
            let values = fields.values(name)
            writer.string(name == .setCookie ? values.last ?? "" : values.joined(separator: ", "))
        }
        writer.endObject()
    }

    private static func writeLists(of fields: Fields, into writer: inout Writer) {
        writer.name("multiValueHeaders")
        writer.beginObject()
        for name in names(of: fields) {
            writer.name(name.lowercased)
            writeList(fields.values(name), into: &writer)
        }
        writer.endObject()
    }

    private static func writeList(_ values: [String], into writer: inout Writer) {
        writer.beginArray()
        for value in values { writer.string(value) }
        writer.endArray()
    }

    private static func writeBody(_ body: [UInt8], isText: Bool, into writer: inout Writer) {
        let text = isText || body.isEmpty ? String(validating: body, as: UTF8.self) : nil
        writer.name("body")
        writer.string(text ?? Base64.encode(body))
        writer.name("isBase64Encoded")
        writer.bool(text == nil)
    }

    /// Each name once, in the order of its first field.
    ///
    /// What belongs to one connection is the platform's to write.
    private static func names(of fields: Fields) -> [Field.Name] {
        var names: [Field.Name] = []
        for field in fields where !names.contains(field.name) && !isOfConnection(field.name) {
            names.append(field.name)
        }
        return names
    }

    private static func isOfConnection(_ name: Field.Name) -> Bool {
        name == .connection || name == .transferEncoding
    }

    /// Whether the content type, where there is one, is that of a text.
    private static func isText(_ fields: Fields) -> Bool {
        guard let type = fields[.contentType]?.lowercased() else { return true }
        return type.hasPrefix("text/")
            || ["json", "xml", "javascript", "x-www-form-urlencoded"].contains { type.contains($0) }
    }
}
