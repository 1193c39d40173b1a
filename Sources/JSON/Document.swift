/// A parsed JSON text that can be read in place: one strict pass leaves a flat list of nodes over the bytes.
///
/// Reuse one value for many texts: its buffers are kept, so a warm parse allocates nothing. A document that has read
/// nothing, or refused its last text, reads as `null`.
package struct Document: Sendable {
    /// A place in the document; only valid until the next `parse`.
    package struct Node: Sendable, Hashable {
        fileprivate let index: Int32
        package static let root = Node(index: 0)
    }

    package enum Kind: UInt8, Sendable {
        case null, `true`, `false`, number, string, escapedString, array, object
    }

    private var bytes: [UInt8] = []
    private var nodes = NodeList()

    package init() {}

    package init(parsing bytes: some Sequence<UInt8>, limits: Limits = Limits()) throws(ParseError) {
        try parse(bytes, limits: limits)
    }

    // MARK: Parsing

    /// Reads one whole text; the nodes of the text before are gone.
    ///
    /// Refused are more than `limits` allow, bytes that are not UTF-8, a byte order mark, lone surrogates, and a name twice in one
    /// object, compared as it reads and not as it is escaped. Linear in the length of the text, whatever it holds.
    package mutating func parse(_ text: Span<UInt8>, limits: Limits = Limits()) throws(ParseError) {
        bytes.removeAll(keepingCapacity: true)
        let most = Swift.min(limits.bytes, Int(Int32.max))
        guard text.count <= most else {
            nodes.reset()
            throw ParseError(.tooLong, at: most)
        }
        unsafe text.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        // Out of `self` while `bytes` is lent: the two may not be accessed at once through one value.
        var reading = NodeList()
        swap(&reading, &nodes)
        defer { swap(&reading, &nodes) }
        try reading.read(bytes.span, limits: limits)
    }

    package mutating func parse(_ text: [UInt8], limits: Limits = Limits()) throws(ParseError) {
        try parse(text.span, limits: limits)
    }

    package mutating func parse(_ text: ArraySlice<UInt8>, limits: Limits = Limits()) throws(ParseError) {
        try parse(text.span, limits: limits)
    }

    /// Reads bytes from anywhere, such as `string.utf8`; contiguous ones are copied at once.
    package mutating func parse(_ text: some Sequence<UInt8>, limits: Limits = Limits()) throws(ParseError) {
        let contiguous = text.withContiguousStorageIfAvailable { text in
            Result { () throws(ParseError) in try unsafe parse(text.span, limits: limits) }
        }
        if let contiguous { return try contiguous.get() }
        let most = Swift.min(limits.bytes, Int(Int32.max))
        try parse(Array(text.prefix(most == .max ? most : most + 1)), limits: limits)
    }

    // MARK: Reading

    package func kind(_ node: Node) -> Kind { nodes[node.index].kind }

    /// The value of an object's member, or nil where the object has no such name or the node is no object.
    package func member(_ name: StaticString, of node: Node) -> Node? {
        let object = nodes[node.index]
        guard object.kind == .object else { return nil }
        var index = node.index + 1
        while index < object.next {
            if isText(name, nodes[index]) { return Node(index: index + 1) }
            index = nodes[index + 1].next
        }
        return nil
    }

    /// Calls `body` with each member of an object, in order, until it answers false.
    package func forEachMember(of node: Node, _ body: (_ name: Node, _ value: Node) -> Bool) {
        let object = nodes[node.index]
        guard object.kind == .object else { return }
        var index = node.index + 1
        while index < object.next {
            guard body(Node(index: index), Node(index: index + 1)) else { return }
            index = nodes[index + 1].next
        }
    }

    /// Calls `body` with each element of an array, in order, until it answers false.
    package func forEachElement(of node: Node, _ body: (Node) -> Bool) {
        let array = nodes[node.index]
        guard array.kind == .array else { return }
        var index = node.index + 1
        while index < array.next {
            guard body(Node(index: index)) else { return }
            index = nodes[index].next
        }
    }

    /// The text of a string node, unescaped, or nil where the node is no string.
    package func string(_ node: Node) -> String? {
        let entry = nodes[node.index]
        switch entry.kind {
        case .string: return String(decoding: bytes[entry.range], as: UTF8.self)
        case .escapedString: return String(decoding: unescaped(entry), as: UTF8.self)
        default: return nil
        }
    }

    /// The bytes of a string node, unescaped, or nil where the node is no string.
    package func stringBytes(_ node: Node) -> [UInt8]? {
        let entry = nodes[node.index]
        switch entry.kind {
        case .string: return Array(bytes[entry.range])
        case .escapedString: return unescaped(entry)
        default: return nil
        }
    }

    /// Appends the bytes of a string node, unescaped, to a buffer of the caller; false where the node is no string.
    package func appendString(_ node: Node, to buffer: inout [UInt8]) -> Bool {
        let entry = nodes[node.index]
        switch entry.kind {
        case .string: buffer.append(contentsOf: bytes[entry.range])
        case .escapedString: bytes.span.appendUnescaped(entry.range, to: &buffer)
        default: return false
        }
        return true
    }

    /// Whether the node is a string with exactly this text.
    package func isString(_ node: Node, _ text: StaticString) -> Bool {
        isText(text, nodes[node.index])
    }

    package func bool(_ node: Node) -> Bool? {
        switch kind(node) {
        case .true: true
        case .false: false
        default: nil
        }
    }

    package func number(_ node: Node) -> Number? {
        let entry = nodes[node.index]
        guard entry.kind == .number else { return nil }
        return Number(unchecked: String(decoding: bytes[entry.range], as: UTF8.self))
    }

    /// The node and all that it holds as a tree.
    package func value(_ node: Node = .root) -> Value {
        let entry = nodes[node.index]
        switch entry.kind {
        case .null: return .null
        case .true: return .bool(true)
        case .false: return .bool(false)
        case .number: return number(node).map(Value.number) ?? .null
        case .string, .escapedString: return .string(string(node) ?? "")
        case .array: return .array(elements(from: node.index + 1, to: entry.next))
        case .object: return .object(Object(members(from: node.index + 1, to: entry.next)))
        }
    }

    private func elements(from first: Int32, to end: Int32) -> [Value] {
        var elements: [Value] = []
        var index = first
        while index < end {
            elements.append(value(Node(index: index)))
            index = nodes[index].next
        }
        return elements
    }

    private func members(from first: Int32, to end: Int32) -> [(name: String, value: Value)] {
        var members: [(name: String, value: Value)] = []
        var index = first
        while index < end {
            members.append((name: string(Node(index: index)) ?? "", value: value(Node(index: index + 1))))
            index = nodes[index + 1].next
        }
        return members
    }

    private func isText(_ wanted: StaticString, _ entry: Entry) -> Bool {
        let wanted = unsafe UnsafeBufferPointer(start: wanted.utf8Start, count: wanted.utf8CodeUnitCount)
        switch entry.kind {
        case .string:
            guard entry.range.count == wanted.count else { return false }
            for offset in 0..<wanted.count where unsafe bytes[Int(entry.start) + offset] != wanted[offset] {
                return false
            }
            return true
        // An escape is never shorter than what it stands for.
        case .escapedString: return unsafe entry.range.count > wanted.count && unescaped(entry).elementsEqual(wanted)
        default: return false
        }
    }

    private func unescaped(_ entry: Entry) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(entry.range.count)
        bytes.span.appendUnescaped(entry.range, to: &text)
        return text
    }
}
