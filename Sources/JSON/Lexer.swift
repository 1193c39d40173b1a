/// The lexical rules of RFC 8259, read at an offset of the text; each answers the offset after what it read.
extension Span<UInt8> {
    func byte(_ at: Int) throws(ParseError) -> UInt8 {
        guard at < count else { throw ParseError(.unexpectedEnd, at: count) }
        return self[at]
    }

    func space(_ start: Int) -> Int {
        var at = start
        while at < count, self[at] == 0x20 || self[at] == 0x0A || self[at] == 0x0D || self[at] == 0x09 { at += 1 }
        return at
    }

    func literal(_ wanted: StaticString, _ start: Int) throws(ParseError) -> Int {
        let wanted = unsafe UnsafeBufferPointer(start: wanted.utf8Start, count: wanted.utf8CodeUnitCount)
        for offset in 0..<wanted.count {
            guard unsafe try byte(start + offset) == wanted[offset] else {
                throw ParseError(.unexpectedByte, at: start + offset)
            }
        }
        return start + wanted.count
    }

    func number(_ start: Int) throws(ParseError) -> Int {
        var at = start
        if self[at] == UInt8(ascii: "-") { at += 1 }
        if at < count, self[at] == UInt8(ascii: "0") {
            at += 1
            if at < count, isDigit(self[at]) { throw ParseError(.badNumber, at: at) }
        } else {
            at = try digits(at)
        }
        if at < count, self[at] == UInt8(ascii: ".") { at = try digits(at + 1) }
        if at < count, self[at] == UInt8(ascii: "e") || self[at] == UInt8(ascii: "E") {
            at += 1
            if at < count, self[at] == UInt8(ascii: "+") || self[at] == UInt8(ascii: "-") { at += 1 }
            at = try digits(at)
        }
        return at
    }

    /// One digit or more.
    private func digits(_ start: Int) throws(ParseError) -> Int {
        guard isDigit(try byte(start)) else { throw ParseError(.badNumber, at: start) }
        var at = start + 1
        while at < count, isDigit(self[at]) { at += 1 }
        return at
    }

    /// The rest of a string whose quote stands before `start`; `end` is the closing quote's offset.
    func string(_ start: Int) throws(ParseError) -> (end: Int, hasEscapes: Bool) {
        var at = start
        var hasEscapes = false
        while true {
            at = plain(at)
            switch try byte(at) {
            case UInt8(ascii: "\""): return (at, hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                at = try escape(at).next
            case 0x00...0x1F: throw ParseError(.controlCharacter, at: at)
            case 0x20...0x7F: at += 1
            default: at = try multibyte(at)
            }
        }
    }

    /// Skips characters of a string that need no look, eight at a time while eight are left.
    private func plain(_ start: Int) -> Int {
        var at = start
        while at + 8 <= count {
            let word = unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
            // The high bit of a byte is set where it is a control, a quote, a backslash or not ASCII; what borrows
            // carry over lies above the first such byte, which alone is used.
            let marks =
                (word | (word &- 0x2020_2020_2020_2020) | ((word ^ 0x2222_2222_2222_2222) &- 0x0101_0101_0101_0101)
                    | ((word ^ 0x5C5C_5C5C_5C5C_5C5C) &- 0x0101_0101_0101_0101)) & 0x8080_8080_8080_8080
            if marks != 0 { return at + marks.trailingZeroBitCount / 8 }
            at += 8
        }
        return at
    }

    /// Checks one UTF-8 sequence of two to four bytes by the table of RFC 3629.
    private func multibyte(_ at: Int) throws(ParseError) -> Int {
        let (length, second): (Int, ClosedRange<UInt8>) =
            switch self[at] {
            case 0xC2...0xDF: (2, 0x80...0xBF)
            case 0xE0: (3, 0xA0...0xBF)
            case 0xE1...0xEC, 0xEE...0xEF: (3, 0x80...0xBF)
            case 0xED: (3, 0x80...0x9F)
            case 0xF0: (4, 0x90...0xBF)
            case 0xF1...0xF3: (4, 0x80...0xBF)
            case 0xF4: (4, 0x80...0x8F)
            default: throw ParseError(.badUnicode, at: at)
            }
        guard at + length <= count, second.contains(self[at + 1]) else { throw ParseError(.badUnicode, at: at) }
        for offset in 2..<Swift.max(length, 2) where self[at + offset] & 0xC0 != 0x80 {
            throw ParseError(.badUnicode, at: at)
        }
        return at + length
    }

    /// Reads one escape, a surrogate pair as one.
    func escape(_ at: Int) throws(ParseError) -> (scalar: UInt32, next: Int) {
        switch try byte(at + 1) {
        case UInt8(ascii: "\""): return (0x22, at + 2)
        case UInt8(ascii: "\\"): return (0x5C, at + 2)
        case UInt8(ascii: "/"): return (0x2F, at + 2)
        case UInt8(ascii: "b"): return (0x08, at + 2)
        case UInt8(ascii: "f"): return (0x0C, at + 2)
        case UInt8(ascii: "n"): return (0x0A, at + 2)
        case UInt8(ascii: "r"): return (0x0D, at + 2)
        case UInt8(ascii: "t"): return (0x09, at + 2)
        case UInt8(ascii: "u"):
            let unit = try hex4(at + 2)
            switch unit {
            case 0xD800...0xDBFF:
                guard at + 7 < count, self[at + 6] == UInt8(ascii: "\\"), self[at + 7] == UInt8(ascii: "u") else {
                    throw ParseError(.badUnicode, at: at)
                }
                let low = try hex4(at + 8)
                guard (0xDC00...0xDFFF).contains(low) else { throw ParseError(.badUnicode, at: at) }
                return (0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00), at + 12)
            case 0xDC00...0xDFFF: throw ParseError(.badUnicode, at: at)
            default: return (unit, at + 6)
            }
        default: throw ParseError(.badEscape, at: at)
        }
    }

    private func hex4(_ at: Int) throws(ParseError) -> UInt32 {
        var value: UInt32 = 0
        for offset in at..<at + 4 {
            guard let digit = hexDigit(try byte(offset)) else { throw ParseError(.badEscape, at: offset) }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    /// Appends the text of a string that the pass has accepted, its escapes resolved.
    func appendUnescaped(_ range: Range<Int>, to text: inout [UInt8]) {
        var at = range.lowerBound
        while at < range.upperBound {
            guard self[at] == UInt8(ascii: "\\") else {
                text.append(self[at])
                at += 1
                continue
            }
            guard let (value, next) = try? escape(at), let scalar = Unicode.Scalar(value) else { return }
            UTF8.encode(scalar, into: { text.append($0) })
            at = next
        }
    }
}

private func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
