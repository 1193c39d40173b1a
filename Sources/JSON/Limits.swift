/// What one strict pass accepts; everything beyond is refused while it is read.
package struct Limits: Sendable {
    /// Nesting of arrays and objects.
    package var depth: Int
    /// Values and member names together.
    package var nodes: Int
    /// Bytes of the whole document.
    package var bytes: Int

    package init(depth: Int = 64, nodes: Int = 100_000, bytes: Int = 8 << 20) {
        self.depth = depth
        self.nodes = nodes
        self.bytes = bytes
    }
}

/// Why a text is not the JSON that was asked for, with the offset in bytes. Never shows the text itself.
package struct ParseError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case unexpectedEnd = "the text ends too early"
        case unexpectedByte = "unexpected character"
        case trailingBytes = "text after the document"
        case badNumber = "not a JSON number"
        case badEscape = "not a JSON escape"
        case badUnicode = "not valid UTF-8 or a lone surrogate"
        case controlCharacter = "a control character inside a string"
        case duplicateName = "the same name twice in one object"
        case tooDeep = "nested too deeply"
        case tooManyNodes = "too many values"
        case tooLong = "too long"
    }

    package let code: Code
    package let offset: Int

    package init(_ code: Code, at offset: Int) {
        self.code = code
        self.offset = offset
    }

    package var description: String { "\(code.rawValue), at byte \(offset)" }
}
