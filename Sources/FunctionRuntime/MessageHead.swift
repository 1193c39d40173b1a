/// The head of one HTTP/1.1 response (RFC 9112), of which only what the loop needs is kept.
struct MessageHead: Equatable {
    var status = 0
    var contentLength: Int?
    var isChunked = false
    var keepsAlive = false
    /// `Lambda-Runtime-Aws-Request-Id`; nil where it is absent or empty.
    var requestID: String?
    /// `Lambda-Runtime-Deadline-Ms`; nil where it is absent or no number.
    var deadlineMilliseconds: Int64?

    /// Reads the lines of a head, from the status line to the empty line.
    init(parsing bytes: ArraySlice<UInt8>) throws(RuntimeAPIError) {
        var at = bytes.startIndex
        var isFirst = true
        while at < bytes.endIndex {
            let lineBreak = bytes[at...].firstIndex(of: 0x0A) ?? bytes.endIndex
            var line = bytes[at..<lineBreak]
            if line.last == 0x0D { line = line.dropLast() }
            at = lineBreak + 1
            if isFirst {
                try readStatus(line)
                isFirst = false
            } else if !line.isEmpty {
                try readField(line)
            }
        }
        if isChunked, contentLength != nil { throw .malformed(.length) }
    }

    private mutating func readStatus(_ line: ArraySlice<UInt8>) throws(RuntimeAPIError) {
        // "HTTP/1.1 200 OK", of which the phrase and the space before it may be missing.
        let minor = line.dropFirst(7).first
        guard line.starts(with: "HTTP/1.".utf8), minor == UInt8(ascii: "1") || minor == UInt8(ascii: "0"),
            line.dropFirst(8).first == 0x20, let code = decimal(line.dropFirst(9).prefix(3)),
            (100...599).contains(code),
            line.count == 12 || line.dropFirst(12).first == 0x20
        else { throw .malformed(.statusLine) }
        status = Int(code)
        keepsAlive = minor == UInt8(ascii: "1")
    }

    private mutating func readField(_ line: ArraySlice<UInt8>) throws(RuntimeAPIError) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
            throw .malformed(.field)
        }
        let name = line[..<colon]
        let value = trimmed(line[(colon + 1)...])
        // A known name has a length of its own, so that most lines cost one comparison.
        switch name.count {
        case 10 where isSame(name, "connection"):
            if isSame(value, "close") { keepsAlive = false }
            if isSame(value, "keep-alive") { keepsAlive = true }
        case 14 where isSame(name, "content-length"):
            guard let length = decimal(value), contentLength == nil || contentLength == Int(length) else {
                throw .malformed(.length)
            }
            contentLength = Int(length)
        case 17 where isSame(name, "transfer-encoding"):
            guard isSame(value, "chunked") else { throw .malformed(.length) }
            isChunked = true
        case 26 where isSame(name, "lambda-runtime-deadline-ms"): deadlineMilliseconds = decimal(value)
        case 29 where isSame(name, "lambda-runtime-aws-request-id"): requestID = Self.pathSegment(value)
        default: break
        }
    }

    /// The id becomes part of a request line: nothing but the characters of a path segment may be in it.
    private static func pathSegment(_ value: ArraySlice<UInt8>) -> String? {
        let isPlain = value.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"),
                UInt8(ascii: ":"), UInt8(ascii: "="), UInt8(ascii: "@"):
                true
            default: false
            }
        }
        return value.isEmpty || value.count > 256 || !isPlain ? nil : String(decoding: value, as: UTF8.self)
    }
}

private func trimmed(_ value: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var value = value
    while let first = value.first, first == 0x20 || first == 0x09 { value = value.dropFirst() }
    while let last = value.last, last == 0x20 || last == 0x09 { value = value.dropLast() }
    return value
}

/// Compares with a lower-case text, letters without case.
private func isSame(_ bytes: ArraySlice<UInt8>, _ text: StaticString) -> Bool {
    let wanted = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard bytes.count == wanted.count else { return false }
    var index = 0
    for byte in bytes {
        let folded = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
        guard unsafe folded == wanted[index] else { return false }
        index += 1
    }
    return true
}

/// A whole number of at most 15 digits, which no sum here can overflow.
private func decimal(_ digits: ArraySlice<UInt8>) -> Int64? {
    guard !digits.isEmpty, digits.count <= 15 else { return nil }
    var value: Int64 = 0
    for digit in digits {
        guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
        value = value * 10 + Int64(digit - UInt8(ascii: "0"))
    }
    return value
}
