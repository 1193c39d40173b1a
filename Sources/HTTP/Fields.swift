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
            let (isToken, isLowercased) = text.withUTF8 { utf8 in
                unsafe (Name.isToken(utf8), utf8.allSatisfy { Name.lowercased($0) == $0 })
            }
            guard isToken else { return nil }
            lowercased = isLowercased ? text : text.lowercased()
        }

        fileprivate static func isToken(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
            unsafe !bytes.isEmpty && bytes.allSatisfy(isTokenCharacter)
        }

        /// Of a character of a token, which is ASCII.
        fileprivate static func lowercased(_ byte: UInt8) -> UInt8 {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
        }

        /// By length first: most names that are compared differ in it.
        package static func == (left: Name, right: Name) -> Bool {
            left.lowercased.utf8.count == right.lowercased.utf8.count && left.lowercased == right.lowercased
        }

        package init?(_ text: Substring) {
            self.init(String(text))
        }

        fileprivate init(known text: String) {
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
        var value = value
        let cleaned = value.withUTF8 { unsafe Field.isClean($0) ? nil : unsafe Field.cleaned($0) }
        self.init(name, clean: cleaned.map { String(decoding: $0, as: UTF8.self) } ?? value)
    }

    fileprivate init(_ name: Name, clean value: String) {
        self.name = name
        self.value = value
    }

    /// In one pass without a way out, so that it takes many bytes at a time; a tab in the middle is rare and makes it false too.
    fileprivate static func isClean(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        let lowest = unsafe value.reduce(UInt8.max) { min($0, $1) }
        return unsafe lowest >= 0x20 && value.first != 0x20 && value.last != 0x20
    }

    fileprivate static func cleaned(_ value: UnsafeBufferPointer<UInt8>) -> ArraySlice<UInt8> {
        let replaced = unsafe value.map { $0 == 0x0D || $0 == 0x0A || $0 == 0x00 ? 0x20 : $0 }
        let start = replaced.firstIndex { $0 != 0x20 && $0 != 0x09 } ?? replaced.endIndex
        let end = replaced.lastIndex { $0 != 0x20 && $0 != 0x09 }.map { $0 + 1 } ?? start
        return replaced[start..<end]
    }
}

/// Header fields in the order of the message; repeats are kept.
package struct Fields: Sendable, Sequence, Equatable {
    /// Every name in lower case and every value, a NUL behind each: one list for a whole head, and what a C library can read.
    private var text: [UInt8] = []
    private var places: [Place] = []

    /// Where a field lies in the text.
    private struct Place: Sendable, Equatable {
        var name: Int32
        var value: Int32
        /// The NUL behind the value.
        var end: Int32

        var nameLength: Int { Int(value - name) - 1 }
    }

    package init(_ list: [Field] = []) {
        for field in list { append(field.name, field.value) }
    }

    package var count: Int { places.count }

    /// What they take in a head: names, values, and `: ` and a line break for each.
    package var headBytes: Int { text.count + 2 * places.count }

    package struct Iterator: IteratorProtocol {
        fileprivate let fields: Fields
        fileprivate var index = 0

        package mutating func next() -> Field? {
            guard index < fields.places.count else { return nil }
            defer { index += 1 }
            return fields.field(fields.places[index])
        }
    }

    package func makeIterator() -> Iterator { Iterator(fields: self) }

    package mutating func append(_ name: Field.Name, _ value: String) {
        var name = name.lowercased
        var value = value
        name.withUTF8 { name in
            value.withUTF8 { value in
                unsafe append(name.count, value) { text in unsafe text.append(contentsOf: name) }
            }
        }
    }

    /// Takes a field from outside as it came, nothing where the name is no token.
    package mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) -> Bool {
        guard unsafe Field.Name.isToken(name) else { return false }
        unsafe append(name.count, value) { text in
            unsafe name.forEach { text.append(Field.Name.lowercased($0)) }
        }
        return true
    }

    private mutating func append(
        _ nameLength: Int, _ value: UnsafeBufferPointer<UInt8>, _ appendName: (inout [UInt8]) -> Void
    ) {
        // What a message usually has, so that neither list is moved while it grows.
        if places.isEmpty {
            places.reserveCapacity(10)
            text.reserveCapacity(512)
        }
        let start = text.count
        appendName(&text)
        text.append(0)
        if unsafe Field.isClean(value) {
            unsafe text.append(contentsOf: value)
        } else {
            text.append(contentsOf: unsafe Field.cleaned(value))
        }
        text.append(0)
        places.append(
            Place(name: Int32(start), value: Int32(start + nameLength + 1), end: Int32(text.count - 1)))
    }

    package func values(_ name: Field.Name) -> [String] {
        var values: [String] = []
        for place in places where isName(name, of: place) { values.append(value(place)) }
        return values
    }

    package func count(of name: Field.Name) -> Int {
        places.count { isName(name, of: $0) }
    }

    /// The value of the first field of that name; setting replaces every one.
    package subscript(name: Field.Name) -> String? {
        get { places.first { isName(name, of: $0) }.map(value) }
        set {
            if places.contains(where: { isName(name, of: $0) }) {
                let others = filter { $0.name != name }
                text.removeAll(keepingCapacity: true)
                places.removeAll(keepingCapacity: true)
                for field in others { append(field.name, field.value) }
            }
            if let newValue { append(name, newValue) }
        }
    }

    /// Hands over each name in lower case and each value as they lie, both ended by NUL, valid during the call.
    package func forEachInC(_ body: (_ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>) -> Void) {
        unsafe text.withUnsafeBytes { bytes in
            guard let start = unsafe bytes.assumingMemoryBound(to: CChar.self).baseAddress else { return }
            for place in places { unsafe body(start + Int(place.name), start + Int(place.value)) }
        }
    }

    private func field(_ place: Place) -> Field {
        Field(Field.Name(known: string(place.name, place.value - 1)), clean: value(place))
    }

    private func value(_ place: Place) -> String {
        string(place.value, place.end)
    }

    private func string(_ start: Int32, _ end: Int32) -> String {
        String(decoding: text[Int(start)..<Int(end)], as: UTF8.self)
    }

    /// By length first: most names that are compared differ in it.
    private func isName(_ name: Field.Name, of place: Place) -> Bool {
        let wanted = name.lowercased.utf8
        return wanted.count == place.nameLength
            && text[Int(place.name)..<Int(place.value) - 1].elementsEqual(wanted)
    }
}
