internal import CMicroHTTPD
internal import Glibc
internal import HTTP

/// The calls into libmicrohttpd that act on one connection.
@safe struct Library: @unchecked Sendable {
    /// Lives as long as the process and never changes.
    let table: UnsafePointer<cmhd_table>

    init() throws(ServerError) {
        guard let table = unsafe cmhd() else { throw .library(unsafe String(cString: cmhd_error())) }
        unsafe self.table = unsafe table
    }

    /// A connection of the library, valid from its opening to its closing callback.
    @safe struct Handle: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    func suspend(_ connection: Handle) {
        unsafe table.pointee.suspend_connection(connection.pointer)
    }

    func resume(_ connection: Handle) {
        unsafe table.pointee.resume_connection(connection.pointer)
    }

    /// Closes the connection once nothing has come or gone for a second.
    func end(_ connection: Handle) {
        unsafe cmhd_set_timeout(table, connection.pointer, 1)
    }

    /// Hands the answer to the library, which copies it; false where it does not take it, and the connection must close.
    func queue(_ response: HTTP.Response, on connection: Handle, closing: Bool) -> Bool {
        let hasBody = response.status.code >= 200 && response.status.code != 204 && response.status.code != 304
        let body = hasBody ? response.body : []
        let answer = unsafe body.withUnsafeBytes { bytes in
            // It says "mutable" for the sake of its other modes.
            unsafe table.pointee.create_response_from_buffer(
                bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
        }
        return unsafe queue(answer, with: response, on: connection, closing: closing)
    }

    /// Queues the head of an answer to `HEAD` whose body, which is not at hand, has so many bytes.
    func queue(headOf response: HTTP.Response, length: UInt64, on connection: Handle, closing: Bool) -> Bool {
        let answer = unsafe table.pointee.create_response_from_callback(
            length, 4_096, { _, _, _, _ in PartialBody.failure }, nil, nil)
        return unsafe queue(answer, with: response, on: connection, closing: closing)
    }

    /// The same with a body that breaks off after so many bytes.
    func queue(_ response: HTTP.Response, on connection: Handle, cutAfter bytes: Int, closing: Bool) -> Bool {
        let part = unsafe Unmanaged.passRetained(PartialBody(Array(response.body.prefix(bytes))))
        let answer = unsafe table.pointee.create_response_from_callback(
            UInt64(response.body.count), 4_096,
            { context, position, buffer, room in
                guard let context = unsafe context, let buffer = unsafe buffer else { return PartialBody.failure }
                let bytes = unsafe Unmanaged<PartialBody>.fromOpaque(context).takeUnretainedValue().bytes
                let piece = bytes.dropFirst(Int(position)).prefix(room)
                guard !piece.isEmpty else { return PartialBody.failure }
                unsafe UnsafeMutableRawBufferPointer(start: buffer, count: room).copyBytes(from: piece)
                return piece.count
            }, part.toOpaque(),
            { context in if let context = unsafe context { unsafe Unmanaged<PartialBody>.fromOpaque(context).release() }
            })
        if unsafe answer == nil { unsafe part.release() }
        return unsafe queue(answer, with: response, on: connection, closing: closing)
    }

    private func queue(
        _ answer: OpaquePointer?, with response: HTTP.Response, on connection: Handle, closing: Bool
    ) -> Bool {
        guard let answer = unsafe answer else { return false }
        defer { unsafe table.pointee.destroy_response(answer) }
        unsafe response.fields.forEachInC { name, value in
            guard unsafe !Library.isOwnMatter(name) else { return }
            guard unsafe strchr(value, 0x09) == nil else {
                // The library refuses a tab in a value, which HTTP allows.
                let text = unsafe String(cString: value).utf8.map { CChar(bitPattern: $0 == 0x09 ? 0x20 : $0) } + [0]
                _ = unsafe table.pointee.add_response_header(answer, name, text)
                return
            }
            _ = unsafe table.pointee.add_response_header(answer, name, value)
        }
        if closing { _ = unsafe table.pointee.add_response_header(answer, "connection", "close") }
        return unsafe table.pointee.queue_response(connection.pointer, UInt32(response.status.code), answer) == .YES
    }

    /// Framing and date are the library's.
    private static func isOwnMatter(_ name: UnsafePointer<CChar>) -> Bool {
        unsafe strcmp(name, "content-length") == 0 || strcmp(name, "transfer-encoding") == 0
            || strcmp(name, "date") == 0
    }
}

/// The bytes of a body that is sent in part.
private final class PartialBody: Sendable {
    /// `MHD_CONTENT_READER_END_WITH_ERROR`, a cast that Swift does not import: the connection closes.
    static let failure = -2

    let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }
}
