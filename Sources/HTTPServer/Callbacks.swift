internal import CMicroHTTPD
internal import Glibc
internal import HTTP
internal import Synchronization

/// What libmicrohttpd calls, on its own threads; `context` is the server, which outlives its daemon.
enum Callbacks {
    static func options(for server: Server, listeningOn descriptor: Int32) -> cmhd_options {
        let configuration = server.configuration
        return unsafe cmhd_options(
            listening_socket: descriptor, is_ipv6: 0, threads: UInt32(configuration.threads),
            connections: UInt32(configuration.maximumConnections), head_bytes: configuration.maximumHeadBytes,
            context: Unmanaged.passUnretained(server).toOpaque(), target: target, access: access, completed: completed,
            connection: connectionChanged)
    }

    /// Before anything is decoded: the buffer is decoded in place afterwards.
    private static let target:
        @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>, OpaquePointer) -> UnsafeMutableRawPointer? = {
            context, uri, _ in
            let bytes = unsafe UnsafeBufferPointer(start: uri, count: strlen(uri)).map { UInt8(bitPattern: $0) }
            if let context = unsafe context {
                unsafe Callbacks.server(context).requestsUnderWay.add(1, ordering: .relaxed)
            }
            return unsafe Unmanaged.passRetained(Incoming(target: bytes)).toOpaque()
        }

    private static let access:
        @convention(c) (
            UnsafeMutableRawPointer?, OpaquePointer, UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<CChar>,
            UnsafePointer<CChar>?, UnsafeMutablePointer<Int>, UnsafeMutablePointer<UnsafeMutableRawPointer?>
        ) -> MHD_Result = { context, connection, _, method, _, upload, size, slot in
            guard let context = unsafe context, let incoming = unsafe slot.pointee else { return .NO }
            let request = unsafe RequestSteps(
                server: Callbacks.server(context), connection: connection,
                incoming: Unmanaged<Incoming>.fromOpaque(incoming).takeUnretainedValue())
            return unsafe request.advance(method: method, upload: upload, size: size)
        }

    private static let completed:
        @convention(c) (
            UnsafeMutableRawPointer?, OpaquePointer, UnsafeMutablePointer<UnsafeMutableRawPointer?>,
            MHD_RequestTerminationCode
        ) -> Void = { context, connection, slot, _ in
            guard let context = unsafe context, let incoming = unsafe slot.pointee else { return }
            unsafe slot.pointee = nil
            let server = unsafe Callbacks.server(context)
            let request = unsafe Unmanaged<Incoming>.fromOpaque(incoming).takeRetainedValue()
            if let exchange = request.exchange {
                exchange.forgetConnection()
                _ = server.parked.withLock { $0.removeValue(forKey: ObjectIdentifier(exchange)) }
            }
            unsafe Callbacks.record(connection)?.readingSince.store(0, ordering: .relaxed)
            server.requestsUnderWay.subtract(1, ordering: .releasing)
        }

    private static let connectionChanged:
        @convention(c) (
            UnsafeMutableRawPointer?, OpaquePointer, UnsafeMutablePointer<UnsafeMutableRawPointer?>,
            MHD_ConnectionNotificationCode
        ) -> Void = { context, connection, slot, code in
            guard let context = unsafe context, let library = unsafe cmhd() else { return }
            let server = unsafe Callbacks.server(context)
            if code == .CONNECTION_NOTIFY_STARTED {
                let record = unsafe ConnectionRecord(
                    descriptor: cmhd_descriptor(library, connection), source: Callbacks.source(library, connection))
                server.connections.add(record)
                unsafe slot.pointee = Unmanaged.passRetained(record).toOpaque()
            } else if let record = unsafe slot.pointee {
                unsafe slot.pointee = nil
                unsafe server.connections.remove(Unmanaged<ConnectionRecord>.fromOpaque(record).takeRetainedValue())
            }
        }

    static func server(_ context: UnsafeMutableRawPointer) -> Server {
        unsafe Unmanaged<Server>.fromOpaque(context).takeUnretainedValue()
    }

    static func record(_ connection: OpaquePointer) -> ConnectionRecord? {
        guard let library = unsafe cmhd(), let slot = unsafe cmhd_connection_slot(library, connection) else {
            return nil
        }
        return unsafe Unmanaged<ConnectionRecord>.fromOpaque(slot).takeUnretainedValue()
    }

    private static func source(_ library: UnsafePointer<cmhd_table>, _ connection: OpaquePointer) -> String {
        guard let address = unsafe cmhd_client_address(library, connection), unsafe address.pointee.sa_family == AF_INET
        else {
            return ""
        }
        return unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { pointer in
            let bytes = unsafe UInt32(bigEndian: pointer.pointee.sin_addr.s_addr)
            return [24, 16, 8, 0].map { String(bytes >> $0 & 255) }.joined(separator: ".")
        }
    }
}

/// One call of the access callback: the steps of a request.
@safe private struct RequestSteps {
    let server: Server
    let connection: OpaquePointer
    let incoming: Incoming

    func advance(method: UnsafePointer<CChar>, upload: UnsafePointer<CChar>?, size: UnsafeMutablePointer<Int>)
        -> MHD_Result
    {
        guard let library = unsafe cmhd() else { return .NO }
        let limit = server.configuration.maximumBodyBytes
        if !incoming.hasHead {
            unsafe Callbacks.record(connection)?.readingSince.store(ConnectionTable.seconds(), ordering: .relaxed)
            let problem = unsafe incoming.readHead(
                method: String(cString: method), connection: connection, library: library, maximumBody: limit)
            return problem.map { send($0.response(requestID: "")) } ?? .YES
        }
        if unsafe size.pointee > 0 {
            unsafe incoming.append(UnsafeBufferPointer(start: upload, count: size.pointee), maximumBody: limit)
            unsafe size.pointee = 0
            return .YES
        }
        if incoming.exchange == nil {
            let record = unsafe Callbacks.record(connection)
            record?.readingSince.store(0, ordering: .relaxed)
            if let problem = unsafe incoming.finish(connection: connection, library: library, source: record?.source) {
                return send(problem.response(requestID: ""))
            }
            if server.isStopping.load(ordering: .relaxed) { return send(Server.stopping) }
            if let exchange = incoming.exchange { server.handler(exchange) }
        }
        guard let exchange = incoming.exchange else { return .NO }
        // In the table before it is parked, so that a stop finds it.
        if let reply = exchange.replyOrPark(beforeParking: { park(exchange) }) { return send(reply) }
        return .YES
    }

    private func park(_ exchange: Exchange) {
        server.parked.withLock { $0[ObjectIdentifier(exchange)] = exchange }
    }

    private func send(_ reply: Exchange.Reply) -> MHD_Result {
        switch reply {
        case .response(let response): return send(response)
        case .abort(let reset):
            if reset, let library = unsafe cmhd() {
                var now = linger(l_onoff: 1, l_linger: 0)
                unsafe setsockopt(
                    cmhd_descriptor(library, connection), SOL_SOCKET, SO_LINGER, &now,
                    socklen_t(MemoryLayout<linger>.size))
            }
            return .NO
        }
    }

    private func send(_ response: HTTP.Response) -> MHD_Result {
        guard let library = unsafe cmhd() else { return .NO }
        let made = unsafe response.body.withUnsafeBytes { body in
            unsafe library.pointee.create_response_from_buffer(
                body.count, UnsafeMutableRawPointer(mutating: body.baseAddress), .RESPMEM_MUST_COPY)
        }
        guard let made = unsafe made else { return .NO }
        defer { unsafe library.pointee.destroy_response(made) }
        for field in response.fields where !Self.ownFields.contains(field.name) {
            _ = unsafe library.pointee.add_response_header(made, field.name.lowercased, field.value)
        }
        if server.isStopping.load(ordering: .relaxed) {
            _ = unsafe library.pointee.add_response_header(made, "connection", "close")
        }
        return unsafe library.pointee.queue_response(connection, UInt32(response.status.code), made)
    }

    /// libmicrohttpd writes these itself.
    private static let ownFields: Set<Field.Name> = [.contentLength, .transferEncoding, .connection]
}
