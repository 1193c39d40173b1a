/// One value or member name of a parsed text.
struct Entry: Sendable {
    var kind: Document.Kind
    /// Bytes of the value; of a string without its quotes.
    var start: Int32
    var end: Int32
    /// The entry after this value and all that it holds; of a container that is still open, the container around it.
    var next: Int32

    var range: Range<Int> { Int(start)..<Int(end) }
}

/// The nodes of a text in its order: a container, then what it holds; a member is its name, then its value.
struct NodeList: Sendable {
    private(set) var entries = [NodeList.null]
    private var names = NameTable()

    private static let null = Entry(kind: .null, start: 0, end: 0, next: 1)
    private static let noContainer: Int32 = -1

    subscript(index: Int32) -> Entry { entries[Int(index)] }

    /// Back to a lone null; buffers are kept.
    mutating func reset() {
        names.startText(after: entries.count)
        entries.removeAll(keepingCapacity: true)
        entries.append(NodeList.null)
    }

    /// Reads one whole text in one pass; after an error the list is a lone null.
    mutating func read(_ text: Span<UInt8>, limits: Limits) throws(ParseError) {
        reset()
        entries.removeAll(keepingCapacity: true)
        do {
            try pass(text, limits)
        } catch {
            reset()
            throw error
        }
    }

    /// The grammar, without recursion: the containers that are open form a list through their `next`.
    private mutating func pass(_ text: Span<UInt8>, _ limits: Limits) throws(ParseError) {
        if text.count >= 3, text[0] == 0xEF, text[1] == 0xBB, text[2] == 0xBF {
            throw ParseError(.byteOrderMark, at: 0)
        }
        let deepest = Swift.min(limits.depth, Limits.deepest)
        let most = Swift.min(limits.nodes, Int(Int32.max))
        var container = NodeList.noContainer
        var depth = 0
        var at = text.space(0)

        values: while true {
            guard entries.count < most else { throw ParseError(.tooManyNodes, at: at) }
            let start = at
            switch try text.byte(at) {
            case UInt8(ascii: "\""):
                let (end, hasEscapes) = try text.string(at + 1)
                push(hasEscapes ? .escapedString : .string, at + 1, end)
                at = end + 1
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                let isObject = text[at] == UInt8(ascii: "{")
                depth += 1
                guard depth <= deepest else { throw ParseError(.tooDeep, at: at) }
                entries.append(
                    Entry(kind: isObject ? .object : .array, start: Int32(at), end: Int32(at), next: container))
                container = Int32(entries.count - 1)
                at = text.space(at + 1)
                // An empty container is closed below.
                if try text.byte(at) != (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    if isObject { at = try name(text, at, of: container, most) }
                    continue values
                }
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                at = try text.number(at)
                push(.number, start, at)
            case UInt8(ascii: "t"):
                at = try text.literal("true", at)
                push(.true, start, at)
            case UInt8(ascii: "f"):
                at = try text.literal("false", at)
                push(.false, start, at)
            case UInt8(ascii: "n"):
                at = try text.literal("null", at)
                push(.null, start, at)
            default: throw ParseError(.unexpectedByte, at: at)
            }

            // A value ended: what follows closes containers, or the next value begins.
            while true {
                at = text.space(at)
                guard container != NodeList.noContainer else {
                    guard at == text.count else { throw ParseError(.trailingBytes, at: at) }
                    return
                }
                let isObject = entries[Int(container)].kind == .object
                switch try text.byte(at) {
                case UInt8(ascii: ","):
                    at = text.space(at + 1)
                    if isObject { at = try name(text, at, of: container, most) }
                    continue values
                case isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"):
                    at += 1
                    depth -= 1
                    let closed = Int(container)
                    container = entries[closed].next
                    entries[closed].end = Int32(at)
                    entries[closed].next = Int32(entries.count)
                default: throw ParseError(.unexpectedByte, at: at)
                }
            }
        }
    }

    /// Reads a member's name and its colon; answers where the value starts.
    private mutating func name(
        _ text: Span<UInt8>, _ start: Int, of object: Int32, _ most: Int
    ) throws(ParseError) -> Int {
        guard try text.byte(start) == UInt8(ascii: "\"") else { throw ParseError(.unexpectedByte, at: start) }
        guard entries.count < most else { throw ParseError(.tooManyNodes, at: start) }
        let (end, hasEscapes) = try text.string(start + 1)
        push(hasEscapes ? .escapedString : .string, start + 1, end)
        guard names.insert(Int32(entries.count - 1), of: object, entries: entries, text: text) else {
            throw ParseError(.duplicateName, at: start)
        }
        let colon = text.space(end + 1)
        guard try text.byte(colon) == UInt8(ascii: ":") else { throw ParseError(.unexpectedByte, at: colon) }
        return text.space(colon + 1)
    }

    private mutating func push(_ kind: Document.Kind, _ start: Int, _ end: Int) {
        entries.append(Entry(kind: kind, start: Int32(start), end: Int32(end), next: Int32(entries.count + 1)))
    }
}
