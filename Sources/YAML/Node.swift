internal import CYAML

/// One node of a YAML document: text as it was written, with the tag and the line that it has in the file.
///
/// What a plain word means (a number, a boolean) is left to whoever reads it, so no tag is unknown.
package struct Node: Sendable {
    package enum Content: Sendable {
        /// - Parameter isPlain: written without quotes, and no block.
        case scalar(String, isPlain: Bool)
        case sequence([Node])
        /// In the order of the file.
        case mapping([(key: String, value: Node)])
    }

    package let content: Content
    /// `!Sub` where the file says so, else nil.
    package let tag: String?
    /// Counted from 1.
    package let line: Int

    package init(_ content: Content, tag: String? = nil, line: Int) {
        self.content = content
        self.tag = tag
        self.line = line
    }

    package var text: String? {
        if case .scalar(let text, _) = content { text } else { nil }
    }

    package var elements: [Node]? {
        if case .sequence(let elements) = content { elements } else { nil }
    }

    package var members: [(key: String, value: Node)]? {
        if case .mapping(let members) = content { members } else { nil }
    }

    /// The member of a mapping; nil where there is none, or where this is none.
    package subscript(key: String) -> Node? {
        members?.first { $0.key == key }?.value
    }
}

/// Why a text is no usable YAML document.
package struct ParseError: Error, Equatable, Sendable, CustomStringConvertible {
    package let line: Int
    package let reason: String

    package var description: String { "line \(line): \(reason)" }
}

extension Node {
    /// Deeper than any template, and shallow enough for the stack.
    private static let deepest = 64
    /// Aliases are written out, so a short text can stand for very many nodes.
    private static let mostNodes = 100_000

    /// Reads the first document of the text (YAML 1.1, by libyaml).
    package init(parsing bytes: [UInt8]) throws(ParseError) {
        var document = unsafe yaml_document_t()
        var line = 0
        var problem: UnsafePointer<CChar>?
        guard unsafe cyaml_load(bytes, bytes.count, &document, &line, &problem) == 1 else {
            let reason = unsafe problem.map { unsafe String(cString: $0) } ?? "it cannot be read"
            throw ParseError(line: line, reason: reason)
        }
        defer { unsafe yaml_document_delete(&document) }
        guard let root = unsafe yaml_document_get_root_node(&document) else {
            throw ParseError(line: 1, reason: "the document is empty")
        }
        var left = Node.mostNodes
        self = try unsafe Node.read(root, of: &document, depth: 0, left: &left)
    }

    private static func read(
        _ node: UnsafeMutablePointer<yaml_node_t>, of document: UnsafeMutablePointer<yaml_document_t>, depth: Int,
        left: inout Int
    ) throws(ParseError) -> Node {
        let line = unsafe cyaml_line(node)
        left -= 1
        guard depth < deepest, left > 0 else { throw ParseError(line: line, reason: "the document is too large") }
        let name = unsafe cyaml_tag(node).map { unsafe String(cString: $0) }
        // The library names the types of YAML itself where the file has no tag.
        let tag = name.flatMap { $0.hasPrefix("tag:yaml.org,2002:") ? nil : $0 }

        func child(_ index: Int32) throws(ParseError) -> Node {
            guard let child = unsafe yaml_document_get_node(document, index) else {
                throw ParseError(line: line, reason: "a node is missing")
            }
            return try unsafe read(child, of: document, depth: depth + 1, left: &left)
        }

        switch unsafe node.pointee.type {
        case YAML_SCALAR_NODE:
            let bytes = unsafe UnsafeBufferPointer(start: cyaml_text(node), count: cyaml_length(node))
            let text = unsafe String(decoding: bytes, as: UTF8.self)
            return Node(.scalar(text, isPlain: unsafe cyaml_is_plain(node) == 1), tag: tag, line: line)
        case YAML_SEQUENCE_NODE:
            var elements: [Node] = []
            for index in unsafe 0..<cyaml_element_count(node) {
                elements.append(try child(unsafe cyaml_element(node, index)))
            }
            return Node(.sequence(elements), tag: tag, line: line)
        case YAML_MAPPING_NODE:
            var members: [(key: String, value: Node)] = []
            for index in unsafe 0..<cyaml_pair_count(node) {
                let key = try child(unsafe cyaml_key(node, index))
                guard let text = key.text else { throw ParseError(line: key.line, reason: "a key is not text") }
                if members.contains(where: { $0.key == text }) {
                    throw ParseError(line: key.line, reason: "the key \(text) is there twice")
                }
                members.append((text, try child(unsafe cyaml_value(node, index))))
            }
            return Node(.mapping(members), tag: tag, line: line)
        default: throw ParseError(line: line, reason: "a node of no known kind")
        }
    }
}
