internal import CMicroHTTPD
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

    /// Hands the answer to the library, which copies it; false where it does not take it, and the connection must close.
    func queue(_ response: HTTP.Response, on connection: Handle, closing: Bool) -> Bool {
        let hasBody = response.status.code >= 200 && response.status.code != 204 && response.status.code != 304
        var body = hasBody ? response.body : []
        let answer = unsafe body.withUnsafeMutableBytes { bytes in
            unsafe table.pointee.create_response_from_buffer(bytes.count, bytes.baseAddress, .RESPMEM_MUST_COPY)
        }
        guard let answer = unsafe answer else { return false }
        defer { unsafe table.pointee.destroy_response(answer) }
        for field in response.fields where !Library.isOwnMatter(field.name) {
            // The library refuses a tab in a value, which HTTP allows.
            let value =
                field.value.utf8.contains(0x09)
                ? String(decoding: field.value.utf8.map { $0 == 0x09 ? 0x20 : $0 }, as: UTF8.self) : field.value
            _ = unsafe table.pointee.add_response_header(answer, field.name.lowercased, value)
        }
        if closing { _ = unsafe table.pointee.add_response_header(answer, "connection", "close") }
        return unsafe table.pointee.queue_response(connection.pointer, UInt32(response.status.code), answer) == .YES
    }

    /// Framing and date are the library's.
    private static func isOwnMatter(_ name: Field.Name) -> Bool {
        name == .contentLength || name == .transferEncoding || name.lowercased == "date"
    }
}
