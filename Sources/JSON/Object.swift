/// The members of a JSON object in the order in which they were written.
///
/// Names are compared byte by byte, as the reader compares them: two ways to compose one letter are two names.
package struct Object: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    package private(set) var members: [(name: String, value: Value)]

    package init(dictionaryLiteral elements: (String, Value)...) {
        members = elements.map { (name: $0.0, value: $0.1) }
    }

    package init(_ members: [(name: String, value: Value)] = []) {
        self.members = members
    }

    package var isEmpty: Bool { members.isEmpty }
    package var count: Int { members.count }
    package var names: [String] { members.map(\.name) }

    /// The member of that name; setting replaces it in its place or adds it at the end, nil removes it.
    package subscript(name: String) -> Value? {
        get {
            members.first { isSameText($0.name, name) }?.value
        }
        set {
            let index = members.firstIndex { isSameText($0.name, name) }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append((name: name, value: value))
            case (nil, nil): break
            }
        }
    }

    /// Equal when the same names have the same values, whatever their order.
    package static func == (left: Object, right: Object) -> Bool {
        guard left.count == right.count else { return false }
        if zip(left.members, right.members).allSatisfy({ isSameText($0.name, $1.name) }) {
            return zip(left.members, right.members).allSatisfy { $0.value == $1.value }
        }
        let others = Dictionary(right.members.map { (Array($0.name.utf8), $0.value) }) { first, _ in first }
        return left.members.allSatisfy { others[Array($0.name.utf8)] == $0.value }
    }
}

/// Whether two strings have the same bytes; `==` on strings also takes canonically equivalent ones for equal.
func isSameText(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
}
