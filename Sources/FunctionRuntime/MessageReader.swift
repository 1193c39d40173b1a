/// Reads HTTP/1.1 responses from a connection into one buffer that is reused; head and body are read in place.
struct MessageReader {
    /// What the buffer has at first, and again after a large message.
    private static let usualSize = 64 << 10
    private static let keptSize = 1 << 20
    private static let headLimit = 1 << 20
    /// What the platform enforces for an event: 6 MiB and 100 bytes.
    static let bodyLimit = 6 << 20 + 100

    private var storage = [UInt8](repeating: 0, count: MessageReader.usualSize)
    private var filled = 0
    /// Where the body of the last message lies.
    private var bodyRange = 0..<0

    var body: ArraySlice<UInt8> { storage[bodyRange] }
    /// Whether anything of the message has come in.
    var hasReceived: Bool { filled > 0 }

    /// Forgets the message before.
    mutating func reset() {
        filled = 0
        bodyRange = 0..<0
        if storage.count > Self.keptSize { storage = [UInt8](repeating: 0, count: Self.usualSize) }
    }

    /// Reads one message, interim responses skipped.
    ///
    /// `keepsAlive` of the head is false where the connection cannot be used again for whatever reason.
    mutating func read(from connection: borrowing Connection) throws(RuntimeAPIError) -> MessageHead {
        var start = 0
        while true {
            let end = try headEnd(from: start, connection)
            var head = try MessageHead(parsing: storage[start..<end])
            if head.status < 200 {
                start = end
                continue
            }
            do throws(RuntimeAPIError) {
                try readBody(&head, from: end, connection)
            } catch .malformed(.bodyTooLarge) {
                // The invocation can still be failed by its id.
                if let id = head.requestID { throw .eventTooLarge(id: id) }
                throw .malformed(.bodyTooLarge)
            }
            return head
        }
    }

    /// The offset after the empty line that ends the head.
    private mutating func headEnd(from start: Int, _ connection: borrowing Connection) throws(RuntimeAPIError) -> Int {
        var at = start
        var lineStart = start
        while true {
            while at < filled {
                if storage[at] == 0x0A {
                    let length = at - lineStart
                    if length == 0 || length == 1 && storage[lineStart] == 0x0D, lineStart > start { return at + 1 }
                    lineStart = at + 1
                }
                at += 1
            }
            guard filled - start < Self.headLimit else { throw .malformed(.headTooLarge) }
            guard try fill(connection) else { throw .disconnected }
        }
    }

    private mutating func readBody(
        _ head: inout MessageHead, from start: Int, _ connection: borrowing Connection
    ) throws(RuntimeAPIError) {
        if head.status == 204 || head.status == 304 {
            bodyRange = start..<start
        } else if head.isChunked {
            try readChunks(from: start, connection)
            return
        } else if let length = head.contentLength {
            guard length <= Self.bodyLimit else { throw .malformed(.bodyTooLarge) }
            reserve(start + length)
            while filled < start + length {
                guard try fill(connection) else { throw .disconnected }
            }
            bodyRange = start..<(start + length)
        } else {
            while try fill(connection) {
                guard filled - start <= Self.bodyLimit else { throw .malformed(.bodyTooLarge) }
            }
            bodyRange = start..<filled
            head.keepsAlive = false
        }
        // Bytes that nobody asked for: what follows cannot be trusted.
        if filled > bodyRange.upperBound { head.keepsAlive = false }
    }

    /// Joins the chunks where the body starts; sizes, extensions and trailers go (RFC 9112, 7.1).
    private mutating func readChunks(from start: Int, _ connection: borrowing Connection) throws(RuntimeAPIError) {
        var end = start
        var at = start
        while true {
            let size = try chunkSize(&at, joined: end, connection)
            if size == 0 { break }
            guard end - start + size <= Self.bodyLimit else { throw .malformed(.bodyTooLarge) }
            while filled < at + size + 2 {
                try fillChunk(&at, joined: end, connection)
            }
            storage.replaceInPlace(at: end, from: at, count: size)
            end += size
            at += size
            // The data end with a line break.
            if storage[at] == 0x0D, storage[at + 1] == 0x0A {
                at += 2
            } else {
                throw .malformed(.chunk)
            }
        }
        while try !line(&at, joined: end, connection).isEmpty {}
        bodyRange = start..<end
    }

    private mutating func chunkSize(
        _ at: inout Int, joined end: Int, _ connection: borrowing Connection
    ) throws(RuntimeAPIError) -> Int {
        let text = storage[try line(&at, joined: end, connection)]
        let digits = text.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 && $0 != 0x09 }
        guard !digits.isEmpty, digits.count <= 8, digits.allSatisfy(isHexDigit),
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw .malformed(.chunk) }
        return size
    }

    /// The range of the next line without its break; `at` moves behind it.
    private mutating func line(
        _ at: inout Int, joined end: Int, _ connection: borrowing Connection
    ) throws(RuntimeAPIError) -> Range<Int> {
        var scanned = 0
        while true {
            while at + scanned < filled {
                let index = at + scanned
                if storage[index] == 0x0A {
                    let stop = index > at && storage[index - 1] == 0x0D ? index - 1 : index
                    defer { at = index + 1 }
                    return at..<stop
                }
                scanned += 1
            }
            guard scanned < Self.usualSize else { throw .malformed(.chunk) }
            try fillChunk(&at, joined: end, connection)
        }
    }

    /// Receives more of a chunked body, after moving what is unread next to what is joined: the framing takes no room.
    private mutating func fillChunk(_ at: inout Int, joined end: Int, _ connection: borrowing Connection)
        throws(RuntimeAPIError)
    {
        if at > end {
            let unread = filled - at
            storage.replaceInPlace(at: end, from: at, count: unread)
            at = end
            filled = end + unread
        }
        guard try fill(connection) else { throw .disconnected }
    }

    private mutating func fill(_ connection: borrowing Connection) throws(RuntimeAPIError) -> Bool {
        if filled == storage.count { reserve(storage.count * 2) }
        let count = try connection.receive(into: &storage, at: filled)
        filled += count
        return count > 0
    }

    private mutating func reserve(_ size: Int) {
        guard size > storage.count else { return }
        storage.append(contentsOf: repeatElement(0, count: size - storage.count))
    }
}

extension [UInt8] {
    /// Moves bytes down within the array; the ranges may overlap.
    fileprivate mutating func replaceInPlace(at target: Int, from source: Int, count: Int) {
        guard target != source else { return }
        for offset in 0..<count { self[target + offset] = self[source + offset] }
    }
}

private func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
        UInt8(ascii: "A")...UInt8(ascii: "F"):
        true
    default: false
    }
}
