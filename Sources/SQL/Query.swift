/// A statement as a literal: what is interpolated becomes an argument, never text.
///
/// `"SELECT id FROM realm WHERE id = \(id)"`. Text goes in by the ugly name alone: `\(unsafeSQL: dialect.now)`.
package struct Query: Sendable, ExpressibleByStringInterpolation {
    package private(set) var text: String
    package private(set) var arguments: [Value]

    package init(stringLiteral text: String) {
        self.text = text
        arguments = []
    }

    package init(unsafeSQL text: String, arguments: [Value] = []) {
        self.text = text
        self.arguments = arguments
    }

    package init(stringInterpolation: StringInterpolation) {
        text = stringInterpolation.text
        arguments = stringInterpolation.arguments
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""
        fileprivate var arguments: [Value] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + interpolationCount)
            arguments.reserveCapacity(interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) {
            text += literal
        }

        package mutating func appendInterpolation(_ value: some Bindable) {
            text += "?"
            arguments.append(value.sqlValue)
        }

        /// Nil becomes `NULL`; an overload of its own, since the compiler warns of an optional where any value may stand.
        package mutating func appendInterpolation(_ value: (some Bindable)?) {
            text += "?"
            arguments.append(value?.sqlValue ?? .null)
        }

        package mutating func appendInterpolation(unsafeSQL text: String) {
            self.text += text
        }

        package mutating func appendInterpolation(_ query: Query) {
            text += query.text
            arguments += query.arguments
        }
    }
}
