/// A JSON document as a tree that carries every detail: member order, and numbers as they were written.
package enum Value: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Number)
    case string(String)
    case array([Value])
    case object(Object)

    /// Equal when they carry the same: numbers as written, strings byte by byte, members in any order.
    package static func == (left: Value, right: Value) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): isSameText(left, right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .number(Number(value)) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: Value...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, Value)...) {
        self = .object(Object(elements.map { (name: $0.0, value: $0.1) }))
    }
    package init(nilLiteral: ()) { self = .null }

    package init(_ value: Int64) { self = .number(Number(value)) }
    package init(_ value: String) { self = .string(value) }
    package init(_ value: Bool) { self = .bool(value) }

    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    package var number: Number? {
        if case .number(let value) = self { value } else { nil }
    }

    package var array: [Value]? {
        if case .array(let value) = self { value } else { nil }
    }

    package var object: Object? {
        if case .object(let value) = self { value } else { nil }
    }

    package var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The member of that name, or nil where there is none or this is no object.
    package subscript(name: String) -> Value? { object?[name] }
}

extension Value {
    /// Reads one whole text with the strictness of `Document`.
    package init(parsing bytes: some Sequence<UInt8>, limits: Limits = Limits()) throws(ParseError) {
        self = try Document(parsing: bytes, limits: limits).value()
    }

    /// The value as compact JSON text.
    package var encoded: [UInt8] {
        var writer = Writer()
        writer.value(self)
        return writer.bytes
    }

    /// The value as compact JSON text.
    package var text: String { String(decoding: encoded, as: UTF8.self) }
}
