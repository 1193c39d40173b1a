/// An entity tag (RFC 9110, 8.8.3), always a weak one here: it names the thing, not the bytes.
package struct EntityTag: Sendable, Equatable {
    private let opaque: String

    package init(weak opaque: String) {
        self.opaque = opaque
    }

    package var text: String { "W/\"\(opaque)\"" }

    /// Whether an `If-None-Match` value names this tag; compared weakly, as that field wants (RFC 9110, 13.1.2).
    package func matches(_ ifNoneMatch: String) -> Bool {
        for part in ifNoneMatch.split(separator: ",") {
            var tag = part.drop { $0 == " " || $0 == "\t" }
            while tag.last == " " || tag.last == "\t" { tag.removeLast() }
            if tag == "*" { return true }
            if tag.hasPrefix("W/") { tag.removeFirst(2) }
            if tag == "\"\(opaque)\"" { return true }
        }
        return false
    }
}
