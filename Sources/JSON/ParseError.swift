/// Why a text is not the JSON that was asked for, with the offset in bytes.
///
/// It never shows the text itself.
package struct ParseError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case unexpectedEnd = "the text ends too early"
        case unexpectedByte = "unexpected character"
        case byteOrderMark = "a byte order mark"
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
