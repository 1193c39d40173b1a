internal import Clocks
internal import FunctionRuntime
internal import Glibc

/// The client of the Runtime API: an answer means the same in one piece and in many.
struct MessageTarget: FuzzTarget {
    let name = "messages"
    let dictionary = [
        "HTTP/1.1 200 OK\r\n", "\r\n\r\n", "\r\n", "Content-Length: ", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n",
        "ffffffff\r\n",
        "Connection: close\r\n", "Lambda-Runtime-Aws-Request-Id: ", "Lambda-Runtime-Deadline-Ms: ",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.0 ", "204 No Content", "500 ", "5;x=y\r\n", "\n",
    ]
    var seeds: [[UInt8]] {
        let head =
            "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a-1\r\nLambda-Runtime-Deadline-Ms: 1700000000000\r\n"
        return [
            head + "Content-Length: 13\r\n\r\n{\"job\":\"x\"}\r\n",
            head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX: y\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n" + head + "Connection: close\r\n\r\nuntil the end",
            head.replacing("HTTP/1.1", with: "HTTP/1.0") + "Connection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n\r\n",
        ].map { Array($0.utf8) }
    }

    func check(_ input: [UInt8]) -> String? {
        guard let whole = outcome(input, pieces: input.count) else { return "no sockets" }
        // Sizes told by the input, so that the same input is cut alike.
        // No more pieces than a socket holds.
        let size = max(1 + input.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % 97, input.count / 64 + 1)
        guard let cut = outcome(input, pieces: size) else { return "no sockets" }
        return whole == cut ? nil : "\(whole) in one piece, \(cut) in pieces of \(size)"
    }

    /// What `next` makes of the answer, sent in pieces of at most that size and then ended.
    private func outcome(_ input: [UInt8], pieces size: Int) -> String? {
        var sockets: [Int32] = [0, 0]
        // Each piece is received as it was sent.
        guard
            unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &sockets) == 0
        else { return nil }
        let client = RuntimeClient(connectedBy: sockets[0])
        defer { close(sockets[1]) }
        var at = 0
        // What no longer fits is left out of both.
        while at < min(input.count, 4_096) {
            let count = min(max(1, size), input.count - at, 4_096 - at)
            let sent = unsafe input.withUnsafeBytes { bytes in
                unsafe send(sockets[1], bytes.baseAddress?.advanced(by: at), count, Int32(MSG_DONTWAIT))
            }
            guard sent == count else { return "full" }
            at += count
        }
        shutdown(sockets[1], Int32(SHUT_WR))
        do throws(RuntimeAPIError) {
            guard let invocation = try client.next() else { return "nothing" }
            let event = String(decoding: client.event, as: UTF8.self)
            return "\(invocation.id) \(invocation.deadline?.milliseconds ?? 0) \(event)"
        } catch {
            return "\(error)"
        }
    }
}
