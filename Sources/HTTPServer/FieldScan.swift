internal import CMicroHTTPD
internal import Glibc
internal import HTTP

/// Collects the header fields of one request and finds out whether the library altered any.
///
/// The library cuts the head into strings where it lies in its buffer, and writes NUL for a colon and for each byte of a line's end.
/// So between a value and the next name lie two NULs, CR LF, behind the last value two more, and between a name and its value lie one and
/// the blanks it skipped. A folded line (RFC 9112, 5.2), which it copies elsewhere, a line that ends in LF alone, a NUL inside a value, which
/// ends it early, and a line that begins with a colon or a NUL, which it takes for the end of the head though others read on, all leave
/// something else there. Not seen is a colon or a NUL beside an LF alone, which looks like CR LF.
@safe struct FieldScan {
    private(set) var fields = Fields()
    private(set) var isIntact = true
    /// What the library keeps of the head in the connection's memory: its bytes, a record of each field, cookies once more.
    private(set) var heldBytes = 0
    /// The library's own for one field or cookie (`struct MHD_HTTP_Header`, seven words, in steps of two).
    private static let recordBytes = 64
    private let headBytes: Int
    /// Of what was read last.
    private var end: UnsafeRawPointer

    private init(headBytes: Int, after start: UnsafeRawPointer) {
        self.headBytes = headBytes
        unsafe end = unsafe start
    }

    /// - Parameters:
    ///   - method: where the head begins in the library's buffer.
    ///   - version: the last word of the request line, there as well.
    static func of(
        _ connection: Library.Handle, _ library: Library, headBytes: Int, method: UnsafePointer<CChar>,
        version: UnsafePointer<CChar>
    ) -> FieldScan {
        var scan = unsafe FieldScan(headBytes: headBytes, after: UnsafeRawPointer(version) + strlen(version))
        unsafe withUnsafeMutablePointer(to: &scan) { pointer in
            _ = unsafe library.table.pointee.get_connection_values_n(
                connection.pointer, .HEADER_KIND,
                { context, _, name, nameLength, value, valueLength in
                    if let scan = unsafe context?.assumingMemoryBound(to: FieldScan.self), let name = unsafe name {
                        unsafe scan.pointee.add(
                            UnsafeRawBufferPointer(start: name, count: nameLength),
                            UnsafeRawBufferPointer(start: value, count: unsafe value == nil ? 0 : valueLength))
                    }
                    return .YES
                }, pointer)
        }
        let head = unsafe cmhd_head_bytes(library.table, connection.pointer)
        if unsafe !scan.areNULs(scan.end, UnsafeRawPointer(method) + head, count: 4) { scan.isIntact = false }
        let cookies = unsafe library.table.pointee.get_connection_values_n(connection.pointer, .COOKIE_KIND, nil, nil)
        scan.heldBytes = head + (scan.fields.count + Int(cookies)) * FieldScan.recordBytes
        if cookies > 0 { for text in scan.fields.values(.cookie) { scan.heldBytes += text.utf8.count } }
        return scan
    }

    private mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        guard let nameStart = name.baseAddress, let valueStart = value.baseAddress else { return isIntact = false }
        let nameEnd = unsafe nameStart + name.count
        if unsafe !areNULs(end, nameStart, count: 2) { isIntact = false }
        if unsafe !isColon(nameEnd, valueStart) { isIntact = false }
        unsafe end = unsafe valueStart + value.count
        guard isIntact else { return }
        // The library compares blanks behind it as well, and reads a body to the connection's end where all others see chunks.
        if let last = unsafe value.last, last <= 0x20, unsafe FieldScan.isTransferEncoding(name) {
            return isIntact = false
        }
        isIntact = unsafe fields.append(
            untrusted: Span(_unsafeElements: name.bindMemory(to: UInt8.self)),
            value: Span(_unsafeElements: value.bindMemory(to: UInt8.self)))
    }

    private static func isTransferEncoding(_ name: UnsafeRawBufferPointer) -> Bool {
        unsafe name.count == 17 && name.elementsEqual("transfer-encoding".utf8) { $0 | 0x20 == $1 }
    }

    private func isColon(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer) -> Bool {
        let length = unsafe start.distance(to: end)
        guard length > 0, length <= headBytes else { return false }
        let bytes = unsafe UnsafeRawBufferPointer(start: start, count: length)
        return unsafe bytes.first == 0 && bytes.dropFirst().allSatisfy { $0 == 0x20 || $0 == 0x09 }
    }

    private func areNULs(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer, count: Int) -> Bool {
        guard unsafe start.distance(to: end) == count else { return false }
        return unsafe UnsafeRawBufferPointer(start: start, count: count).allSatisfy { $0 == 0 }
    }
}
