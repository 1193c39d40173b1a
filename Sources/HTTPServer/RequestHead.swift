internal import HTTP

/// The head of a request, once it is known that every server and proxy reads it alike.
///
/// libmicrohttpd lets pass what two parsers may read as two different requests (RFC 9112, 11.2); that is refused here.
struct RequestHead {
    /// Without its body.
    let request: HTTP.Request
    /// Bytes of body that are announced; nil where the body is chunked.
    let contentLength: Int?

    /// Why a head is refused; the text goes to the client.
    struct Refusal: Error, Equatable {
        let reason: String
    }

    init(_ request: consuming HTTP.Request, version: String) throws(Refusal) {
        contentLength = try RequestHead.framing(request.fields, version: version)
        let hosts = request.fields.count(of: .host)
        guard hosts <= 1 else { throw Refusal(reason: "more than one Host field") }
        guard hosts == 1 || version == "HTTP/1.0" else { throw Refusal(reason: "no Host field") }
        self.request = request
    }

    /// The announced length; a body framed in two ways, or in none that is known, is refused (RFC 9112, 6.3).
    private static func framing(_ fields: Fields, version: String) throws(Refusal) -> Int? {
        if fields.count(of: .contentLength) + fields.count(of: .transferEncoding) == 0 { return 0 }
        let lengths = fields.values(.contentLength)
        let codings = fields.values(.transferEncoding)
        guard lengths.count <= 1 else { throw Refusal(reason: "more than one Content-Length field") }
        guard lengths.isEmpty || codings.isEmpty else {
            throw Refusal(reason: "both Content-Length and Transfer-Encoding")
        }
        guard let coding = codings.first else {
            guard let length = lengths.first else { return 0 }
            guard !length.isEmpty, length.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(length)
            else {
                throw Refusal(reason: "Content-Length is not a number")
            }
            return number
        }
        guard codings.count == 1, coding.utf8.elementsEqual("chunked".utf8, by: { $0 | 0x20 == $1 }),
            version != "HTTP/1.0"
        else {
            throw Refusal(reason: "a transfer coding other than chunked")
        }
        return nil
    }
}

/// Path and query of a request line, as they came.
struct RequestTarget {
    let path: String
    /// Without its `?`.
    let query: String

    /// Takes the origin form and the absolute form (RFC 9112, 3.2), and cuts at the first `?`.
    init(_ target: UnsafeBufferPointer<UInt8>) throws(RequestHead.Refusal) {
        // The usual one at once: a path, nothing that would have to be escaped.
        let (lowest, highest) = unsafe target.reduce((UInt8.max, UInt8.min)) { (min($0.0, $1), max($0.1, $1)) }
        if lowest > 0x20, highest < 0x7F, unsafe target.first == UInt8(ascii: "/") {
            let mark = unsafe target.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
            path = unsafe String(decoding: UnsafeBufferPointer(rebasing: target[..<mark]), as: UTF8.self)
            query = unsafe String(decoding: UnsafeBufferPointer(rebasing: target[mark...].dropFirst()), as: UTF8.self)
            return
        }
        guard unsafe target.allSatisfy({ $0 > 0x20 && $0 != 0x7F }),
            let text = unsafe String(validating: target, as: UTF8.self)
        else { throw RequestHead.Refusal(reason: "the target has characters that must be percent-encoded") }
        let local: Substring
        if text.utf8.first == UInt8(ascii: "/") {
            local = Substring(text)
        } else if let authority = RequestTarget.afterScheme(text) {
            let end = authority.firstIndex { $0 == "/" || $0 == "?" } ?? authority.endIndex
            local = authority[end...].first == "/" ? authority[end...] : "/" + authority[end...]
        } else {
            throw RequestHead.Refusal(reason: "the target is neither a path nor an http URL")
        }
        let mark = local.utf8.firstIndex(of: UInt8(ascii: "?")) ?? local.endIndex
        path = String(local[..<mark])
        query = String(local[mark...].dropFirst())
    }

    private static func afterScheme(_ text: String) -> Substring? {
        for scheme in ["http://", "https://"] where text.lowercased().hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.count)
            return rest.isEmpty || rest.first == "/" ? nil : rest
        }
        return nil
    }
}
