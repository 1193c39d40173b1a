internal import CMicroHTTPD
internal import Glibc
internal import HTTP

/// A request while it comes in; one object per request, handed through libmicrohttpd as an opaque pointer.
///
/// Only the network thread of its connection touches it.
@safe final class Incoming {
    private let target: [UInt8]
    private var method = Method.get
    private var fields = Fields()
    private var body: [UInt8] = []
    private var isOverLong = false
    private(set) var hasHead = false
    private(set) var exchange: Exchange?

    init(target: [UInt8]) {
        self.target = target
    }

    /// Takes the head; answers what is wrong with it.
    func readHead(
        method: String, connection: OpaquePointer, library: UnsafePointer<cmhd_table>, maximumBody: Int
    ) -> Problem? {
        hasHead = true
        self.method = Method(rawValue: method)
        let reader = FieldReader()
        _ = unsafe library.pointee.get_connection_values_n(
            connection, .HEADER_KIND,
            { context, _, name, nameLength, value, valueLength in
                guard let context = unsafe context, let name = unsafe name else { return .NO }
                let reader = unsafe Unmanaged<FieldReader>.fromOpaque(context).takeUnretainedValue()
                unsafe reader.add(
                    UnsafeBufferPointer(start: name, count: nameLength),
                    UnsafeBufferPointer(start: value, count: valueLength))
                return .YES
            }, Unmanaged.passUnretained(reader).toOpaque())
        fields = reader.fields
        if reader.isMalformed { return bad("a header field has no valid name") }
        let lengths = fields.values(.contentLength)
        if lengths.count > 1 { return bad("Content-Length is given more than once") }
        if !lengths.isEmpty, fields[.transferEncoding] != nil {
            return bad("Content-Length and Transfer-Encoding exclude each other")
        }
        if fields.values(.host).count > 1 { return bad("Host is given more than once") }
        if let length = lengths.first.flatMap({ Int($0) }), length > maximumBody { return Incoming.tooLarge }
        return nil
    }

    /// Takes a piece of the body.
    ///
    /// What is over the limit is read and dropped, so that the answer can be sent.
    func append(_ piece: UnsafeBufferPointer<CChar>, maximumBody: Int) {
        if isOverLong { return }
        guard body.count + piece.count <= maximumBody else {
            isOverLong = true
            body = []
            return
        }
        unsafe piece.withMemoryRebound(to: UInt8.self) { unsafe body.append(contentsOf: $0) }
    }

    /// The whole request has come in; answers what is wrong with it, or leaves an exchange.
    func finish(connection: OpaquePointer, library: UnsafePointer<cmhd_table>, source: String?) -> Problem? {
        if isOverLong { return Incoming.tooLarge }
        guard let (path, query) = Incoming.split(target) else { return bad("the request target is not a path") }
        let request = Request(
            method, path: path, query: query, fields: fields, body: body, id: fields[.requestID] ?? "",
            sourceAddress: source)
        body = []
        exchange = unsafe Exchange(request: request, connection: connection, library: library)
        return nil
    }

    /// Path and query of a target in origin form, or in absolute form (RFC 9112, 3.2).
    private static func split(_ target: [UInt8]) -> (path: String, query: String)? {
        guard var text = String(validating: target, as: UTF8.self) else { return nil }
        if !text.hasPrefix("/") {
            let lowercased = text.prefix(8).lowercased()
            guard lowercased.hasPrefix("http://") || lowercased.hasPrefix("https://"),
                let authority = text.firstRange(of: "//")?.upperBound
            else { return nil }
            let rest = text[authority...]
            text = rest.firstIndex(of: "/").map { String(rest[$0...]) } ?? "/"
        }
        if text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) { return nil }
        let withoutFragment = text.prefix { $0 != "#" }
        guard let mark = withoutFragment.firstIndex(of: "?") else { return (String(withoutFragment), "") }
        return (String(withoutFragment[..<mark]), String(withoutFragment[withoutFragment.index(after: mark)...]))
    }

    private func bad(_ detail: String) -> Problem {
        Problem(.badRequest, type: "bad-request", title: "Bad request", detail: detail)
    }

    private static let tooLarge = Problem(
        .contentTooLarge, type: "content-too-large", title: "Content too large",
        detail: "the body is larger than this server takes")
}

/// Collects the header fields of one request.
private final class FieldReader {
    var fields = Fields()
    var isMalformed = false

    func add(_ name: UnsafeBufferPointer<CChar>, _ value: UnsafeBufferPointer<CChar>) {
        let text = unsafe String(decoding: name.lazy.map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard let name = Field.Name(text) else {
            isMalformed = true
            return
        }
        fields.append(name, unsafe String(decoding: value.lazy.map(UInt8.init(bitPattern:)), as: UTF8.self))
    }
}
