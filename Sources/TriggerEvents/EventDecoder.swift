package import HTTP
internal import JSON

/// Turns the bytes of an event into a `Trigger`: one strict pass, then only what handlers read is copied out.
///
/// Reuse one value for many events; its buffers are kept.
package struct EventDecoder: Sendable {
    /// The header fields that handlers read; every other one is skipped.
    package static let defaultFields: [Field.Name] = [
        .accept, .authorization, .contentType, .host, .ifNoneMatch, .userAgent, .forwardedFor,
    ]

    private var document = Document()
    private let fields: [Field.Name]

    package init(fields: [Field.Name] = EventDecoder.defaultFields) {
        self.fields = fields
    }

    /// Reads one event.
    ///
    /// The kind is decided once, from the members that tell the triggers apart; from then on an error names the member
    /// that breaks the shape of that kind.
    package mutating func decode(_ event: some Sequence<UInt8>) throws(TriggerError) -> Trigger {
        do {
            try document.parse(event)
        } catch {
            throw .notJSON(error)
        }
        let event = EventReader(document: document, fields: fields)
        switch event.kind() {
        case .gatewayV2: return .http(try event.gatewayV2(), .gatewayV2)
        case .gatewayV1: return .http(try event.gatewayV1(), .gatewayV1)
        case .loadBalancer: return try event.loadBalancer()
        case .schedule: return .schedule(try event.schedule())
        case .ownSchedule: return .schedule(try event.ownSchedule())
        case .timer: return .schedule(try event.timer())
        case nil: throw .notATrigger
        }
    }
}

/// One parsed event.
struct EventReader {
    enum Kind {
        case gatewayV1, gatewayV2, loadBalancer, schedule, ownSchedule, timer
    }

    let document: Document
    let fields: [Field.Name]

    func kind() -> Kind? {
        let version = document.member("version", of: .root)
        let context = document.member("requestContext", of: .root)
        if let version, document.isString(version, "2.0") {
            let isHTTP = context.flatMap { document.member("http", of: $0) } != nil || has("rawPath")
            return isHTTP ? .gatewayV2 : nil
        }
        if let context, document.member("elb", of: context) != nil { return .loadBalancer }
        if has("httpMethod"), has("resource"), version.map({ document.isString($0, "1.0") }) ?? true {
            return .gatewayV1
        }
        if let type = document.member("detail-type", of: .root), has("source") {
            return document.isString(type, "Scheduled Event") ? .schedule : nil
        }
        if has("triggerTime"), has("triggerName") { return .timer }
        // What is left is our own payload if it says so and claims to be nothing else.
        return has("job") && version == nil && context == nil ? .ownSchedule : nil
    }

    private func has(_ name: StaticString) -> Bool {
        document.member(name, of: .root) != nil
    }

    // MARK: Members

    /// The member, or nil where it is absent or null, which the platforms use alike.
    func optional(_ name: StaticString, of node: Document.Node = .root) -> Document.Node? {
        guard let member = document.member(name, of: node), document.kind(member) != .null else { return nil }
        return member
    }

    func string(_ name: StaticString, of node: Document.Node = .root, at path: String) throws(TriggerError) -> String {
        guard let text = try optionalString(name, of: node, at: path) else { throw .malformed(member: path) }
        return text
    }

    func optionalString(_ name: StaticString, of node: Document.Node = .root, at path: String) throws(TriggerError)
        -> String?
    {
        guard let member = optional(name, of: node) else { return nil }
        guard let text = document.string(member) else { throw .malformed(member: path) }
        return text
    }

    func object(_ name: StaticString, of node: Document.Node = .root, at path: String) throws(TriggerError)
        -> Document.Node
    {
        guard let member = try optionalObject(name, of: node, at: path) else { throw .malformed(member: path) }
        return member
    }

    func optionalObject(
        _ name: StaticString, of node: Document.Node = .root, at path: String
    ) throws(TriggerError) -> Document.Node? {
        guard let member = optional(name, of: node) else { return nil }
        guard document.kind(member) == .object else { throw .malformed(member: path) }
        return member
    }

    // MARK: Parts of a request

    func method(_ text: String, at path: String) throws(TriggerError) -> Method {
        // A method is a token as a field name is (RFC 9110, 9.1).
        guard Field.Name(text) != nil else { throw .malformed(member: path) }
        return Method(rawValue: text)
    }

    func body(_ shape: Shape, of method: Method) throws(TriggerError) -> [UInt8] {
        var isEncoded = false
        if let flag = optional("isBase64Encoded") {
            guard let value = document.bool(flag) else { throw .malformed(member: "isBase64Encoded") }
            isEncoded = value
        }
        guard let body = optional("body") else { return [] }
        guard let bytes = document.stringBytes(body) else { throw .malformed(member: "body") }
        guard isEncoded else { return bytes }
        guard let decoded = Base64.decode(bytes) else { throw .bodyNotBase64(shape, method) }
        return decoded
    }

    /// The wanted fields of a map of names to values.
    func singleFields(of map: Document.Node, at path: String) throws(TriggerError) -> Fields {
        var found = Fields()
        var broken: TriggerError?
        document.forEachMember(of: map) { name, value in
            guard let wanted = wantedField(name), document.kind(value) != .null else { return true }
            guard let text = document.string(value) else {
                broken = .malformed(member: "\(path).\(wanted)")
                return false
            }
            found.append(wanted, text)
            return true
        }
        if let broken { throw broken }
        return found
    }

    /// The wanted fields of a map of names to lists of values.
    func multiFields(of map: Document.Node, at path: String) throws(TriggerError) -> Fields {
        var found = Fields()
        var broken: TriggerError?
        document.forEachMember(of: map) { name, values in
            guard let wanted = wantedField(name), document.kind(values) != .null else { return true }
            if document.kind(values) != .array { broken = .malformed(member: "\(path).\(wanted)") }
            document.forEachElement(of: values) { value in
                guard let text = document.string(value) else {
                    broken = .malformed(member: "\(path).\(wanted)")
                    return false
                }
                found.append(wanted, text)
                return true
            }
            return broken == nil
        }
        if let broken { throw broken }
        return found
    }

    private func wantedField(_ name: Document.Node) -> Field.Name? {
        guard let text = document.string(name) else { return nil }
        return fields.first { $0.lowercased.utf8.elementsEqual(text.utf8.lazy.map(lowercased)) }
    }

    /// The parameters of a map of names to values, or to lists of values, in the order of the map.
    func parameters(of map: Document.Node, at path: String) throws(TriggerError) -> [(name: String, value: String)] {
        var found: [(name: String, value: String)] = []
        var isBroken = false
        document.forEachMember(of: map) { name, value in
            guard let name = document.string(name) else { return false }
            switch document.kind(value) {
            case .null: break
            case .array:
                document.forEachElement(of: value) { element in
                    guard let text = document.string(element) else {
                        isBroken = true
                        return false
                    }
                    found.append((name, text))
                    return true
                }
            default:
                guard let text = document.string(value) else {
                    isBroken = true
                    break
                }
                found.append((name, text))
            }
            return !isBroken
        }
        // The parameter's name is the caller's text and stays out of the error.
        if isBroken { throw .malformed(member: path) }
        return found
    }
}

private func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}
