internal import CSystem
internal import Glibc

/// One blocking TCP connection.
///
/// It has no timeout: a process may be frozen for hours while it waits for an event.
struct Connection: ~Copyable {
    private let descriptor: Int32

    init(to endpoint: Endpoint) throws(RuntimeAPIError) {
        descriptor = try Connection.open(endpoint)
    }

    /// Owns a socket that is connected already.
    init(owning descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// Sends both parts, as one segment where the kernel takes it whole.
    func send(_ head: [UInt8], _ body: [UInt8]) throws(RuntimeAPIError) {
        var sent = 0
        while sent < head.count + body.count {
            let count = sendOnce(head, body, from: sent)
            if count >= 0 {
                sent += count
            } else if csystem_errno() != EINTR {
                throw .disconnected
            }
        }
    }

    /// Receives what there is into `storage` from `offset` on; 0 at the end of the stream.
    func receive(into storage: inout [UInt8], at offset: Int) throws(RuntimeAPIError) -> Int {
        while true {
            let count = unsafe storage.withUnsafeMutableBytes { bytes in
                let free = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])
                return unsafe recv(descriptor, free.baseAddress, free.count, 0)
            }
            if count >= 0 { return count }
            if csystem_errno() != EINTR { throw .disconnected }
        }
    }

    private func sendOnce(_ head: [UInt8], _ body: [UInt8], from offset: Int) -> Int {
        unsafe head.withUnsafeBytes { head in
            unsafe body.withUnsafeBytes { body in
                let headStart = min(offset, head.count)
                let bodyStart = offset - headStart
                var parts = (
                    unsafe iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: head.baseAddress?.advanced(by: headStart)),
                        iov_len: head.count - headStart),
                    unsafe iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: body.baseAddress?.advanced(by: bodyStart)),
                        iov_len: body.count - bodyStart)
                )
                return unsafe withUnsafeMutablePointer(to: &parts) { parts in
                    unsafe parts.withMemoryRebound(to: iovec.self, capacity: 2) { parts in
                        var message = unsafe msghdr()
                        unsafe message.msg_iov = parts
                        unsafe message.msg_iovlen = 2
                        return unsafe sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
                    }
                }
            }
        }
    }

    private static func open(_ endpoint: Endpoint) throws(RuntimeAPIError) -> Int32 {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        // A numeric address, which the platform gives, is taken without reading any file.
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        var addresses: UnsafeMutablePointer<addrinfo>?
        var result = unsafe getaddrinfo(endpoint.host, endpoint.port, &hints, &addresses)
        if result != 0 {
            unsafe hints.ai_flags = AI_NUMERICSERV
            result = unsafe getaddrinfo(endpoint.host, endpoint.port, &hints, &addresses)
        }
        guard result == 0 else { throw .unreachable(code: result) }
        defer { unsafe freeaddrinfo(addresses) }
        var failure: Int32 = 0
        var candidate = unsafe addresses
        while let address = unsafe candidate {
            let descriptor = unsafe socket(
                address.pointee.ai_family, address.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
            if descriptor >= 0 {
                if unsafe connects(descriptor, address.pointee) { return descriptor }
                failure = csystem_errno()
                close(descriptor)
            } else {
                failure = csystem_errno()
            }
            unsafe candidate = address.pointee.ai_next
        }
        throw .unreachable(code: failure)
    }

    private static func connects(_ descriptor: Int32, _ address: addrinfo) -> Bool {
        var on: Int32 = 1
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        if unsafe connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return true }
        guard csystem_errno() == EINTR else { return false }
        // An interrupted connect goes on by itself; writable means it is decided.
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while unsafe poll(&wait, 1, -1) < 0 {
            if csystem_errno() != EINTR { return false }
        }
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0
    }
}
