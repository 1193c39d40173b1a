internal import CCurl
internal import HTTP

/// A list of lines as libcurl takes it; `free()` ends it.
@safe struct StringList {
    private let library: UnsafePointer<ccurl_table>
    private(set) var head: UnsafeMutablePointer<curl_slist>?

    init(library: UnsafePointer<ccurl_table>) {
        unsafe self.library = library
    }

    /// Adds the header fields that the caller set, and switches off what libcurl would add by itself; false without memory.
    mutating func append(_ fields: Fields) -> Bool {
        for field in fields where !StringList.framing.contains(field.name) {
            // `Name;` is libcurl's form for a field without a value; `Name:` would remove it.
            let line = field.value.isEmpty ? field.name.lowercased + ";" : field.name.lowercased + ": " + field.value
            guard append(line) else { return false }
        }
        // A form is not what every body is, and no provider needs to be asked before a small body is sent.
        if fields[.contentType] == nil, !append("Content-Type:") { return false }
        return append("Expect:")
    }

    mutating func free() {
        unsafe library.pointee.slist_free_all(head)
        unsafe head = nil
    }

    /// False without memory.
    mutating func append(_ line: String) -> Bool {
        guard let longer = unsafe library.pointee.slist_append(head, line) else { return false }
        unsafe head = longer
        return true
    }

    /// The frame of a message is libcurl's business.
    private static let framing: Set<Field.Name> = [.contentLength, .transferEncoding, .connection]
}
