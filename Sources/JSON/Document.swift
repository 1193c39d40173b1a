/// A parsed JSON text that can be read in place: one strict pass leaves a flat list of nodes over the bytes.
///
/// Reuse one value for many texts: its buffers are kept, so a warm parse allocates nothing.
package struct Document: Sendable {
    /// A place in the document; only valid until the next `parse`.
    package struct Node: Sendable, Hashable {
        fileprivate let index: Int32
        package static let root = Node(index: 0)
    }

    package enum Kind: UInt8, Sendable {
        case null, `true`, `false`, number, string, escapedString, array, object
    }

    private struct Entry {
        var kind: Kind
        /// Bytes of the value; of a string without its quotes.
        var start: Int32
        var end: Int32
        /// The entry after this value and all that it holds.
        var next: Int32
    }

    private var bytes: [UInt8] = []
    private var entries: [Entry] = []
    private var names = NameTable()
    private var limits = Limits()
    private var depth = 0

    package init() {}

    package init(parsing bytes: some Sequence<UInt8>, limits: Limits = Limits()) throws(ParseError) {
        try parse(bytes, limits: limits)
    }

    /// Reads one whole text; the nodes of the text before are gone.
    package mutating func parse(_ text: some Sequence<UInt8>, limits: Limits = Limits()) throws(ParseError) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: text)
        entries.removeAll(keepingCapacity: true)
        self.limits = limits
        depth = 0
        guard bytes.count <= min(limits.bytes, Int(Int32.max)) else { throw ParseError(.tooLong, at: limits.bytes) }
        var at = skipSpace(0)
        at = try value(at)
        at = skipSpace(at)
        if at != bytes.count { throw ParseError(.trailingBytes, at: at) }
    }

    // MARK: Reading

    package func kind(_ node: Node) -> Kind { entries[Int(node.index)].kind }

    /// The value of an object's member, or nil where the object has no such name or the node is no object.
    package func member(_ name: StaticString, of node: Node) -> Node? {
        guard kind(node) == .object else { return nil }
        var index = node.index + 1
        let end = entries[Int(node.index)].next
        while index < end {
            let value = index + 1
            if isNamed(name, entry: entries[Int(index)]) { return Node(index: value) }
            index = entries[Int(value)].next
        }
        return nil
    }

    /// Calls `body` with each member of an object, in order, until it answers false.
    package func forEachMember(of node: Node, _ body: (_ name: Node, _ value: Node) -> Bool) {
        guard kind(node) == .object else { return }
        var index = node.index + 1
        let end = entries[Int(node.index)].next
        while index < end {
            guard body(Node(index: index), Node(index: index + 1)) else { return }
            index = entries[Int(index + 1)].next
        }
    }

    /// Calls `body` with each element of an array, in order, until it answers false.
    package func forEachElement(of node: Node, _ body: (Node) -> Bool) {
        guard kind(node) == .array else { return }
        var index = node.index + 1
        let end = entries[Int(node.index)].next
        while index < end {
            guard body(Node(index: index)) else { return }
            index = entries[Int(index)].next
        }
    }

    /// The text of a string node, unescaped, or nil where the node is no string.
    package func string(_ node: Node) -> String? {
        let entry = entries[Int(node.index)]
        switch entry.kind {
        case .string: return String(decoding: bytes[Int(entry.start)..<Int(entry.end)], as: UTF8.self)
        case .escapedString: return String(decoding: unescaped(entry), as: UTF8.self)
        default: return nil
        }
    }

    /// The bytes of a string node, unescaped, or nil where the node is no string.
    package func stringBytes(_ node: Node) -> [UInt8]? {
        let entry = entries[Int(node.index)]
        switch entry.kind {
        case .string: return Array(bytes[Int(entry.start)..<Int(entry.end)])
        case .escapedString: return unescaped(entry)
        default: return nil
        }
    }

    /// Whether the node is a string with exactly this text.
    package func isString(_ node: Node, _ text: StaticString) -> Bool {
        isNamed(text, entry: entries[Int(node.index)])
    }

    package func bool(_ node: Node) -> Bool? {
        switch kind(node) {
        case .true: true
        case .false: false
        default: nil
        }
    }

    package func number(_ node: Node) -> Number? {
        let entry = entries[Int(node.index)]
        guard entry.kind == .number else { return nil }
        return Number(unchecked: String(decoding: bytes[Int(entry.start)..<Int(entry.end)], as: UTF8.self))
    }

    /// The node and all that it holds as a tree.
    package func value(_ node: Node = .root) -> Value {
        switch kind(node) {
        case .null: return .null
        case .true: return .bool(true)
        case .false: return .bool(false)
        case .number: return number(node).map(Value.number) ?? .null
        case .string, .escapedString: return .string(string(node) ?? "")
        case .array:
            var elements: [Value] = []
            forEachElement(of: node) {
                elements.append(value($0))
                return true
            }
            return .array(elements)
        case .object:
            var members: [(name: String, value: Value)] = []
            forEachMember(of: node) {
                members.append((name: string($0) ?? "", value: value($1)))
                return true
            }
            return .object(Object(members))
        }
    }

    private func isNamed(_ name: StaticString, entry: Entry) -> Bool {
        let wanted = unsafe UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        switch entry.kind {
        case .string:
            guard Int(entry.end - entry.start) == wanted.count else { return false }
            for offset in 0..<wanted.count where unsafe bytes[Int(entry.start) + offset] != wanted[offset] { return false }
            return true
        case .escapedString: return unsafe unescaped(entry).elementsEqual(wanted)
        default: return false
        }
    }

    // MARK: The pass

    private func skipSpace(_ start: Int) -> Int {
        var at = start
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A || bytes[at] == 0x0D || bytes[at] == 0x09 { at += 1 }
        return at
    }

    private mutating func push(_ kind: Kind, _ start: Int, _ end: Int) throws(ParseError) {
        guard entries.count < limits.nodes else { throw ParseError(.tooManyNodes, at: start) }
        entries.append(Entry(kind: kind, start: Int32(start), end: Int32(end), next: Int32(entries.count + 1)))
    }

    private mutating func value(_ at: Int) throws(ParseError) -> Int {
        guard at < bytes.count else { throw ParseError(.unexpectedEnd, at: at) }
        switch bytes[at] {
        case UInt8(ascii: "{"): return try object(at)
        case UInt8(ascii: "["): return try array(at)
        case UInt8(ascii: "\""): return try string(at)
        case UInt8(ascii: "t"): return try literal("true", .true, at)
        case UInt8(ascii: "f"): return try literal("false", .false, at)
        case UInt8(ascii: "n"): return try literal("null", .null, at)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number(at)
        default: throw ParseError(.unexpectedByte, at: at)
        }
    }

    private mutating func literal(_ text: StaticString, _ kind: Kind, _ at: Int) throws(ParseError) -> Int {
        let wanted = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        for offset in 0..<wanted.count {
            guard at + offset < bytes.count else { throw ParseError(.unexpectedEnd, at: bytes.count) }
            guard unsafe bytes[at + offset] == wanted[offset] else { throw ParseError(.unexpectedByte, at: at + offset) }
        }
        try push(kind, at, at + wanted.count)
        return at + wanted.count
    }

    private mutating func number(_ start: Int) throws(ParseError) -> Int {
        var at = start
        func digits() throws(ParseError) {
            let first = at
            while at < bytes.count, isDigit(bytes[at]) { at += 1 }
            if at == first { throw ParseError(at < bytes.count ? .badNumber : .unexpectedEnd, at: at) }
        }
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        if at < bytes.count, bytes[at] == UInt8(ascii: "0") {
            at += 1
            if at < bytes.count, isDigit(bytes[at]) { throw ParseError(.badNumber, at: at) }
        } else {
            try digits()
        }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            try digits()
        }
        if at < bytes.count, bytes[at] == UInt8(ascii: "e") || bytes[at] == UInt8(ascii: "E") {
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
        try push(.number, start, at)
        return at
    }

    private mutating func string(_ quote: Int) throws(ParseError) -> Int {
        var at = quote + 1
        var hasEscapes = false
        while true {
            guard at < bytes.count else { throw ParseError(.unexpectedEnd, at: at) }
            switch bytes[at] {
            case UInt8(ascii: "\""):
                try push(hasEscapes ? .escapedString : .string, quote + 1, at)
                return at + 1
            case UInt8(ascii: "\\"):
                hasEscapes = true
                at = try escape(at).next
            case 0x00...0x1F: throw ParseError(.controlCharacter, at: at)
            case 0x20...0x7F: at += 1
            default: at = try multibyte(at)
            }
        }
    }

    /// Checks one UTF-8 sequence of two to four bytes by the table of RFC 3629.
    private func multibyte(_ at: Int) throws(ParseError) -> Int {
        let first = bytes[at]
        let (length, second): (Int, ClosedRange<UInt8>) =
            switch first {
            case 0xC2...0xDF: (2, 0x80...0xBF)
            case 0xE0: (3, 0xA0...0xBF)
            case 0xE1...0xEC, 0xEE...0xEF: (3, 0x80...0xBF)
            case 0xED: (3, 0x80...0x9F)
            case 0xF0: (4, 0x90...0xBF)
            case 0xF1...0xF3: (4, 0x80...0xBF)
            case 0xF4: (4, 0x80...0x8F)
            default: throw ParseError(.badUnicode, at: at)
            }
        guard at + length <= bytes.count else { throw ParseError(.badUnicode, at: at) }
        guard second.contains(bytes[at + 1]) else { throw ParseError(.badUnicode, at: at) }
        for offset in 2..<max(length, 2) where bytes[at + offset] & 0xC0 != 0x80 { throw ParseError(.badUnicode, at: at) }
        return at + length
    }

    /// Reads one escape, a surrogate pair as one; answers its scalar and the byte after it.
    private func escape(_ at: Int) throws(ParseError) -> (scalar: UInt32, next: Int) {
        guard at + 1 < bytes.count else { throw ParseError(.unexpectedEnd, at: bytes.count) }
        switch bytes[at + 1] {
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
                guard at + 7 < bytes.count, bytes[at + 6] == UInt8(ascii: "\\"), bytes[at + 7] == UInt8(ascii: "u") else {
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
        guard at + 4 <= bytes.count else { throw ParseError(.unexpectedEnd, at: bytes.count) }
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = hexDigit(bytes[at + offset]) else { throw ParseError(.badEscape, at: at + offset) }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    private func unescaped(_ entry: Entry) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(Int(entry.end - entry.start))
        var at = Int(entry.start)
        while at < Int(entry.end) {
            guard bytes[at] == UInt8(ascii: "\\") else {
                text.append(bytes[at])
                at += 1
                continue
            }
            // Every escape was checked by the pass.
            guard let (scalar, next) = try? escape(at), let scalar = Unicode.Scalar(scalar) else { return text }
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.EncodedScalar())
            at = next
        }
        return text
    }

    private mutating func array(_ start: Int) throws(ParseError) -> Int {
        let index = try open(.array, start)
        var at = skipSpace(start + 1)
        if at < bytes.count, bytes[at] == UInt8(ascii: "]") { return close(index, at) }
        while true {
            at = skipSpace(try value(at))
            guard at < bytes.count else { throw ParseError(.unexpectedEnd, at: at) }
            switch bytes[at] {
            case UInt8(ascii: ","): at = skipSpace(at + 1)
            case UInt8(ascii: "]"): return close(index, at)
            default: throw ParseError(.unexpectedByte, at: at)
            }
        }
    }

    private mutating func object(_ start: Int) throws(ParseError) -> Int {
        let index = try open(.object, start)
        let scope = names.open()
        var at = skipSpace(start + 1)
        if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
            names.close(scope)
            return close(index, at)
        }
        while true {
            guard at < bytes.count else { throw ParseError(.unexpectedEnd, at: at) }
            guard bytes[at] == UInt8(ascii: "\"") else { throw ParseError(.unexpectedByte, at: at) }
            let name = entries.count
            let nameStart = at
            at = skipSpace(try string(at))
            try declare(name, in: scope, at: nameStart)
            guard at < bytes.count else { throw ParseError(.unexpectedEnd, at: at) }
            guard bytes[at] == UInt8(ascii: ":") else { throw ParseError(.unexpectedByte, at: at) }
            at = skipSpace(try value(skipSpace(at + 1)))
            guard at < bytes.count else { throw ParseError(.unexpectedEnd, at: at) }
            switch bytes[at] {
            case UInt8(ascii: ","): at = skipSpace(at + 1)
            case UInt8(ascii: "}"):
                names.close(scope)
                return close(index, at)
            default: throw ParseError(.unexpectedByte, at: at)
            }
        }
    }

    private mutating func open(_ kind: Kind, _ start: Int) throws(ParseError) -> Int {
        depth += 1
        guard depth <= limits.depth else { throw ParseError(.tooDeep, at: start) }
        try push(kind, start, start)
        return entries.count - 1
    }

    private mutating func close(_ index: Int, _ at: Int) -> Int {
        depth -= 1
        entries[index].end = Int32(at + 1)
        entries[index].next = Int32(entries.count)
        return at + 1
    }

    /// Notes a member name and refuses it the second time; names are compared as they read, not as they are escaped.
    private mutating func declare(_ index: Int, in scope: Int, at offset: Int) throws(ParseError) {
        let entry = entries[index]
        let hash: UInt64
        if entry.kind == .string {
            hash = NameTable.hash(bytes[Int(entry.start)..<Int(entry.end)])
        } else {
            hash = NameTable.hash(unescaped(entry)[...])
        }
        for other in names.candidates(hash, in: scope) where isSameName(entries[Int(other)], entry) {
            throw ParseError(.duplicateName, at: offset)
        }
        names.insert(hash, Int32(index), in: scope)
    }

    private func isSameName(_ left: Entry, _ right: Entry) -> Bool {
        if left.kind == .string, right.kind == .string {
            return bytes[Int(left.start)..<Int(left.end)].elementsEqual(bytes[Int(right.start)..<Int(right.end)])
        }
        func text(_ entry: Entry) -> [UInt8] {
            entry.kind == .string ? Array(bytes[Int(entry.start)..<Int(entry.end)]) : unescaped(entry)
        }
        return text(left) == text(right)
    }
}

func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
}

func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
