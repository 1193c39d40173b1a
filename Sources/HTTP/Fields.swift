/// One header field.
///
/// Names compare without case, values carry no line breaks or NUL.
package struct Field: Hashable, Sendable {
    /// A field name, kept in lower case, which HTTP/2 and both clouds use and which no peer may tell from another case.
    package struct Name: Hashable, Sendable, CustomStringConvertible {
        package let lowercased: String

        /// Takes a token of RFC 9110, 5.6.2, from outside; nil for anything else.
        package init?(_ text: String) {
            var text = text
            // In one pass over the bytes: every field of every request comes through here.
            let (isToken, isLowercased) = text.withUTF8 { utf8 in
                unsafe (
                    !utf8.isEmpty && utf8.allSatisfy(Name.isTokenCharacter),
                    utf8.allSatisfy { !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
                )
            }
            guard isToken else { return nil }
            lowercased = isLowercased ? text : Name.lowercased(&text)
        }

        /// Of a token, which is ASCII.
        private static func lowercased(_ text: inout String) -> String {
            text.withUTF8 { utf8 in
                unsafe String(unsafeUninitializedCapacity: utf8.count) { bytes in
                    for index in utf8.indices {
                        let byte = unsafe utf8[index]
                        let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                        unsafe bytes[index] = isUpper ? byte | 0x20 : byte
                    }
                    return utf8.count
                }
            }
        }

        /// By length first: most names that are compared differ in it.
        package static func == (left: Name, right: Name) -> Bool {
            left.lowercased.utf8.count == right.lowercased.utf8.count && left.lowercased == right.lowercased
        }

        package init?(_ text: Substring) {
            self.init(String(text))
        }

        private init(known text: String) {
            lowercased = text
        }

        package var description: String { lowercased }

        private static func isTokenCharacter(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"),
                UInt8(ascii: "%"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
                UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
                true
            default: false
            }
        }

        package static let accept = Name(known: "accept")
        package static let allow = Name(known: "allow")
        package static let authorization = Name(known: "authorization")
        package static let cacheControl = Name(known: "cache-control")
        package static let connection = Name(known: "connection")
        package static let contentLength = Name(known: "content-length")
        package static let contentSecurityPolicy = Name(known: "content-security-policy")
        package static let contentTypeOptions = Name(known: "x-content-type-options")
        package static let contentType = Name(known: "content-type")
        package static let cookie = Name(known: "cookie")
        package static let etag = Name(known: "etag")
        package static let host = Name(known: "host")
        package static let ifNoneMatch = Name(known: "if-none-match")
        package static let location = Name(known: "location")
        package static let referrerPolicy = Name(known: "referrer-policy")
        package static let requestID = Name(known: "x-request-id")
        package static let retryAfter = Name(known: "retry-after")
        package static let setCookie = Name(known: "set-cookie")
        package static let transferEncoding = Name(known: "transfer-encoding")
        package static let userAgent = Name(known: "user-agent")
        package static let vary = Name(known: "vary")
        package static let wwwAuthenticate = Name(known: "www-authenticate")
        package static let forwardedFor = Name(known: "x-forwarded-for")
    }

    package let name: Name
    package let value: String

    /// Line breaks and NUL in the value become spaces, blanks at both ends go (RFC 9110, 5.5).
    package init(_ name: Name, _ value: String) {
        self.name = name
        self.value = Field.cleaned(value)
    }

    private static func cleaned(_ value: String) -> String {
        var value = value
        let isClean = value.withUTF8 { utf8 in
            unsafe utf8.allSatisfy { $0 != 0x0D && $0 != 0x0A && $0 != 0x00 }
                && utf8.first != 0x20 && utf8.first != 0x09 && utf8.last != 0x20 && utf8.last != 0x09
        }
        if isClean { return value }
        let replaced = value.utf8.map { $0 == 0x0D || $0 == 0x0A || $0 == 0x00 ? 0x20 : $0 }
        let start = replaced.firstIndex { $0 != 0x20 && $0 != 0x09 } ?? replaced.endIndex
        let end = replaced.lastIndex { $0 != 0x20 && $0 != 0x09 }.map { $0 + 1 } ?? start
        return String(decoding: replaced[start..<end], as: UTF8.self)
    }
}

/// Header fields in the order of the message; repeats are kept.
package struct Fields: Sendable, Sequence, Equatable {
    private var list: [Field]

    package init(_ list: [Field] = []) {
        self.list = list
    }

    package var count: Int { list.count }
    package func makeIterator() -> IndexingIterator<[Field]> { list.makeIterator() }

    package mutating func append(_ name: Field.Name, _ value: String) {
        // What a message usually has, so that the list is not moved while it grows.
        if list.isEmpty { list.reserveCapacity(8) }
        list.append(Field(name, value))
    }

    package func values(_ name: Field.Name) -> [String] {
        var values: [String] = []
        for field in list where field.name == name { values.append(field.value) }
        return values
    }

    package func count(of name: Field.Name) -> Int {
        list.count { $0.name == name }
    }

    /// The value of the first field of that name; setting replaces every one.
    package subscript(name: Field.Name) -> String? {
        get { list.first { $0.name == name }?.value }
        set {
            if list.contains(where: { $0.name == name }) { list.removeAll { $0.name == name } }
            if let newValue { append(name, newValue) }
        }
    }
}
