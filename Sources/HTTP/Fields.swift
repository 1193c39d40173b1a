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
                unsafe (
                    !utf8.isEmpty && utf8.allSatisfy { Name.lowercased[Int($0)] != 0 },
                    utf8.allSatisfy { Name.lowercased[Int($0)] == $0 }
                )
            }
            guard isToken else { return nil }
            lowercased = isLowercased ? text : text.lowercased()
        }

        /// Every character of a token in lower case, zero for all other bytes.
        static let lowercased: [UInt8] = (0...UInt8.max).map { byte in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : isTokenCharacter(byte) ? byte : 0
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
        package static let date = Name(known: "date")
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
        let utf8 = value.utf8
        let bytes = utf8.span
        self.init(name, clean: Field.isClean(bytes) ? value : String(decoding: Field.cleaned(bytes), as: UTF8.self))
    }

    fileprivate init(_ name: Name, clean value: String) {
        self.name = name
        self.value = value
    }

    /// Whether a value stays as it is when it is cleaned: no control character, no blank at an end.
    fileprivate static func isClean(_ value: Span<UInt8>) -> Bool {
        if value.isEmpty { return true }
        // To the end in any case: so many bytes are compared at once.
        var lowest = UInt8.max
        for index in value.indices { lowest = min(lowest, value[index]) }
        return lowest > 0x20 || lowest == 0x20 && value[0] > 0x20 && value[value.count - 1] > 0x20
    }

    fileprivate static func cleaned(_ value: Span<UInt8>) -> ArraySlice<UInt8> {
        let replaced = value.indices.map { index in
            let byte = value[index]
            return byte == 0x0D || byte == 0x0A || byte == 0x00 ? 0x20 : byte
        }
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
        let (name, value) = (name.lowercased.utf8, value.utf8)
        append(name: name.span, value: value.span)
    }

    /// Takes a field from outside as it came; false, and nothing is taken, where the name is no token.
    package mutating func append(untrusted name: Span<UInt8>, value: Span<UInt8>) -> Bool {
        let lowercased = Field.Name.lowercased
        for index in name.indices where lowercased[Int(name[index])] == 0 { return false }
        if name.isEmpty { return false }
        let start = text.count
        append(name: name, value: value)
        for index in start..<start + name.count { text[index] = lowercased[Int(text[index])] }
        return true
    }

    private mutating func append(name: Span<UInt8>, value: Span<UInt8>) {
        makeRoom()
        let start = text.count
        append(name)
        text.append(0)
        let valueStart = text.count
        if Field.isClean(value) { append(value) } else { text.append(contentsOf: Field.cleaned(value)) }
        text.append(0)
        places.append(Place(name: Int32(start), value: Int32(valueStart), end: Int32(text.count - 1)))
    }

    private mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe text.append(contentsOf: $0) }
    }

    /// All of another message's.
    package mutating func append(contentsOf others: Fields) {
        makeRoom()
        let start = Int32(text.count)
        // Read in place: threads that append one list at the same time would wait for each other's count of references.
        let (theirs, theirPlaces) = (others.text.span, others.places.span)
        append(theirs)
        for index in theirPlaces.indices {
            let place = theirPlaces[index]
            places.append(Place(name: start + place.name, value: start + place.value, end: start + place.end))
        }
    }

    /// For what a message usually has, so that neither list is moved while it grows.
    private mutating func makeRoom() {
        guard places.isEmpty else { return }
        places.reserveCapacity(10)
        text.reserveCapacity(512)
    }

    package func values(_ name: Field.Name) -> [String] {
        var values: [String] = []
        var index = first(name)
        while let found = index {
            values.append(value(places[found]))
            index = first(name, from: found + 1)
        }
        return values
    }

    package func count(of name: Field.Name) -> Int {
        var count = 0
        var index = first(name)
        while let found = index {
            count += 1
            index = first(name, from: found + 1)
        }
        return count
    }

    /// The value of the first field of that name; setting replaces every one.
    package subscript(name: Field.Name) -> String? {
        get { first(name).map { value(places[$0]) } }
        set {
            if let place = first(name) {
                // More than one layer names the request, and all the same.
                if let newValue, first(name, from: place + 1) == nil, holds(newValue, places[place]) { return }
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

    private func holds(_ value: String, _ place: Place) -> Bool {
        value.utf8.elementsEqual(text[Int(place.value)..<Int(place.end)])
    }

    private func value(_ place: Place) -> String {
        string(place.value, place.end)
    }

    private func string(_ start: Int32, _ end: Int32) -> String {
        String(decoding: text[Int(start)..<Int(end)], as: UTF8.self)
    }

    /// By length first: most names that are compared differ in it.
    private func first(_ name: Field.Name, from start: Int = 0) -> Int? {
        let utf8 = name.lowercased.utf8
        let wanted = utf8.span
        let text = text.span
        search: for index in start..<places.count {
            let place = places[index]
            if Int(place.value - place.name) != wanted.count + 1 { continue }
            for offset in wanted.indices where wanted[offset] != text[Int(place.name) + offset] { continue search }
            return index
        }
        return nil
    }
}
