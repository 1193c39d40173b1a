internal import JSON

/// A dotted path into a JSON document, such as `data.list.0.token`.
///
/// In an array a part is an index from 0. In an object the longest run of parts that is a member's name wins, so that a
/// name with a dot in it is found as it is written.
package struct ValuePath: Sendable, Hashable {
    package let text: String
    private let parts: [Substring]

    /// Nil for an empty path, an empty part, or more than 16 parts.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 256, parts.count <= 16, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        self.text = text
        self.parts = parts
    }

    /// The value at the path; nil where there is none, or only null.
    func value(in document: JSON.Value) -> JSON.Value? {
        guard let found = find(parts[...], in: document), !found.isNull else { return nil }
        return found
    }

    private func find(_ parts: ArraySlice<Substring>, in value: JSON.Value) -> JSON.Value? {
        guard let first = parts.first else { return value }
        switch value {
        case .array(let elements):
            guard let index = Int(first), elements.indices.contains(index), String(index) == first else { return nil }
            return find(parts.dropFirst(), in: elements[index])
        case .object(let object):
            for count in stride(from: parts.count, through: 1, by: -1) {
                if let member = object[parts.prefix(count).joined(separator: ".")] {
                    return find(parts.dropFirst(count), in: member)
                }
            }
            return nil
        default: return nil
        }
    }
}
