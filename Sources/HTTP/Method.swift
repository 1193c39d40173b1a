/// An HTTP request method; case matters (RFC 9110, 9.1).
package struct Method: Hashable, Sendable, RawRepresentable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// Takes what came from outside; nil where it is no token.
    package init?(untrusted text: Span<UInt8>) {
        let known = Field.Name.lowercased
        for index in text.indices where known[Int(text[index])] == 0 { return nil }
        if text.isEmpty { return nil }
        rawValue = unsafe text.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    package static let get = Method(rawValue: "GET")
    package static let head = Method(rawValue: "HEAD")
    package static let post = Method(rawValue: "POST")
    package static let put = Method(rawValue: "PUT")
    package static let delete = Method(rawValue: "DELETE")
    package static let patch = Method(rawValue: "PATCH")
    package static let options = Method(rawValue: "OPTIONS")

    package var description: String { rawValue }
}
