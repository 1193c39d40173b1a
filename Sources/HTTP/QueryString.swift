/// Percent-encoding (RFC 3986, 2.1) and `application/x-www-form-urlencoded` (WHATWG URL, 5).
package enum PercentEncoding {
    /// Encodes everything but the unreserved characters of RFC 3986.
    package static func encode(_ text: String) -> String {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if isUnreserved(byte) {
                encoded.append(byte)
            } else {
                encoded.append(contentsOf: [UInt8(ascii: "%"), hexDigit(byte >> 4), hexDigit(byte & 15)])
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// Decodes, or nil where an escape is broken or the bytes are not UTF-8.
    ///
    /// `+` is a space only if asked for.
    package static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        let decoded = text.utf8.withContiguousStorageIfAvailable { unsafe decode($0, plusIsSpace: plusIsSpace) }
        if let decoded { return decoded }
        return unsafe Array(text.utf8).withUnsafeBufferPointer { unsafe decode($0, plusIsSpace: plusIsSpace) }
    }

    fileprivate static func decode(_ text: UnsafeBufferPointer<UInt8>, plusIsSpace: Bool) -> String? {
        let isPlain = unsafe text.allSatisfy { $0 != UInt8(ascii: "%") && !(plusIsSpace && $0 == UInt8(ascii: "+")) }
        if isPlain { return unsafe String(decoding: text, as: UTF8.self) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var bytes = unsafe text.makeIterator()
        while let byte = unsafe bytes.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = unsafe bytes.next().flatMap(hexValue), let low = unsafe bytes.next().flatMap(hexValue)
                else { return nil }
                decoded.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: decoded.append(0x20)
            default: decoded.append(byte)
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// The parameters of a query string or a form, in order, repeats kept.
package struct QueryString: Sendable, Equatable {
    package struct Parameter: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package private(set) var parameters: [Parameter]

    package init(_ parameters: [Parameter] = []) {
        self.parameters = parameters
    }

    /// Reads `a=1&b=2`; nil where an escape is broken or not UTF-8.
    package init?(parsing text: String) {
        var text = text
        guard let parameters = text.withUTF8({ unsafe QueryString.parameters($0) }) else { return nil }
        self.parameters = parameters
    }

    private static func parameters(_ text: UnsafeBufferPointer<UInt8>) -> [Parameter]? {
        func decoded(_ range: Range<Int>) -> String? {
            unsafe PercentEncoding.decode(UnsafeBufferPointer(rebasing: text[range]), plusIsSpace: true)
        }
        var parameters: [Parameter] = []
        parameters.reserveCapacity(4)
        var start = 0
        while start < text.count {
            var end = start
            var equals: Int?
            while end < text.count, case let byte = unsafe text[end], byte != UInt8(ascii: "&") {
                if byte == UInt8(ascii: "="), equals == nil { equals = end }
                end += 1
            }
            defer { start = end + 1 }
            if end == start { continue }
            guard let name = decoded(start..<(equals ?? end)), let value = decoded((equals.map { $0 + 1 } ?? end)..<end)
            else { return nil }
            parameters.append(Parameter(name, value))
        }
        return parameters
    }

    package func values(_ name: String) -> [String] {
        parameters.filter { $0.name == name }.map(\.value)
    }

    /// Of the first parameter of that name.
    package func value(_ name: String) -> String? {
        parameters.first { $0.name == name }?.value
    }

    package mutating func append(_ name: String, _ value: String) {
        parameters.append(Parameter(name, value))
    }

    /// The text for a URL or a form body; spaces become `%20`, which both accept.
    package var encoded: String {
        parameters.map { PercentEncoding.encode($0.name) + "=" + PercentEncoding.encode($0.value) }
            .joined(separator: "&")
    }
}
