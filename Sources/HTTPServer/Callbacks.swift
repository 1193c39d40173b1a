internal import CMicroHTTPD
internal import Glibc

/// The library's options for one thread of a server.
///
/// Its callbacks are made here because closures in top-level code would be
/// bound to the main actor and trap on a network thread.
///
/// - Parameter threads: network threads, which share the connections.
func options(core: Core, socket: ListeningSocket, threads: Int) -> cmhd_options {
    let configuration = core.configuration
    return unsafe cmhd_options(
        listening_socket: socket.descriptor,
        is_ipv6: socket.isIPv6 ? 1 : 0,
        connections: UInt32(max(1, (configuration.maximumConnections + threads - 1) / threads)),
        head_bytes: configuration.maximumHeadBytes,
        context: Unmanaged.passUnretained(core).toOpaque(),
        target: { context, uri, connection in
            let core = unsafe shared(context)
            // Without one the access handler ends the request.
            guard let slot = unsafe cmhd_connection_slot(core.library.table, connection) else { return nil }
            let peer = unsafe Unmanaged<Connection>.fromOpaque(slot).takeUnretainedValue()
            let handle = unsafe Library.Handle(pointer: connection)
            let transaction = unsafe Transaction(core: core, handle: handle, connection: peer, uri: uri)
            unsafe hideQuery(of: uri)
            peer.begin(transaction)
            return unsafe Unmanaged.passUnretained(transaction).toOpaque()
        },
        access: { _, _, _, method, version, upload, uploadSize, slot in
            guard let object = unsafe slot.pointee else { return .NO }
            let transaction = unsafe Unmanaged<Transaction>.fromOpaque(object).takeUnretainedValue()
            return unsafe transaction.advance(method: method, version: version, upload: upload, uploadSize: uploadSize)
        },
        completed: { _, _, slot, _ in
            guard let object = unsafe slot.pointee else { return }
            unsafe slot.pointee = nil
            unsafe Unmanaged<Transaction>.fromOpaque(object).takeUnretainedValue().connection.endTransaction()
        },
        connection: { context, connection, slot, code in
            let core = unsafe shared(context)
            if code == .CONNECTION_NOTIFY_STARTED {
                let address = unsafe cmhd_client_address(core.library.table, connection)
                let peer = Connection(
                    descriptor: unsafe cmhd_descriptor(core.library.table, connection),
                    handle: unsafe Library.Handle(pointer: connection),
                    address: unsafe address.flatMap { unsafe numericAddress($0) },
                    limits: StepLimits(
                        request: core.configuration.requestTimeout, idle: core.configuration.idleTimeout))
                core.connections.insert(peer)
                unsafe slot.pointee = unsafe Unmanaged.passRetained(peer).toOpaque()
            } else if let object = unsafe slot.pointee {
                unsafe slot.pointee = nil
                let peer = unsafe Unmanaged<Connection>.fromOpaque(object).takeRetainedValue()
                // A request that it gives up before its handler is called is never told to be complete.
                peer.endTransaction()
                peer.closed()
                core.connections.remove(peer)
            }
        })
}

/// Leaves the library a target without parameters, after this server has read it.
///
/// It would keep a record of each in the connection's memory, and where some hundred do not fit, forget the answer to the request.
private func hideQuery(of uri: UnsafePointer<CChar>) {
    // It has looked for the question mark before, and reads from the byte behind it.
    guard let mark = unsafe strchr(uri, Int32(UInt8(ascii: "?"))) else { return }
    unsafe mark[1] = 0
}

private func shared(_ context: UnsafeMutableRawPointer?) -> Core {
    guard let context = unsafe context else { preconditionFailure("a callback without its server") }
    return unsafe Unmanaged<Core>.fromOpaque(context).takeUnretainedValue()
}
