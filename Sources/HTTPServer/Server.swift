internal import CMicroHTTPD
internal import CSystem
internal import Glibc
internal import HTTP
internal import Synchronization

/// An HTTP/1.1 server over libmicrohttpd: connections that wait are parked, not blocked.
///
/// `@unchecked`: the daemon and the table are set once, in `init`, and libmicrohttpd's functions on a daemon may be called from any
/// thread; everything else is behind a lock or atomic.
@safe package final class Server: @unchecked Sendable {
    package struct Configuration: Sendable {
        /// An IPv4 address.
        package var address = "127.0.0.1"
        /// 0 takes any free port.
        package var port: UInt16 = 0
        /// Network threads.
        package var threads = 2
        package var maximumBodyBytes = 1 << 20
        /// Request line and header fields together.
        package var maximumHeadBytes = 32 << 10
        package var maximumConnections = 10_000
        /// How long a new connection may take to its first request, and a request to its last byte.
        package var requestTimeout = Duration.seconds(30)

        package init() {}
    }

    package let port: UInt16
    let configuration: Configuration
    let handler: @Sendable (Exchange) -> Void
    let connections = ConnectionTable()
    let parked = Mutex<[ObjectIdentifier: Exchange]>([:])
    let isStopping = Atomic<Bool>(false)
    private let isStopped = Atomic<Bool>(false)
    let requestsUnderWay = Atomic<Int>(0)
    private let library: UnsafePointer<cmhd_table>
    private let daemon: Mutex<Daemon>

    /// Starts to listen and to answer.
    ///
    /// - Parameter handler: called on a network thread with each whole request; it must not block. It answers before it
    ///   returns, or later from any thread: until then the connection is parked and holds no thread.
    package init(_ configuration: Configuration, handler: @escaping @Sendable (Exchange) -> Void) throws(ServerError) {
        guard let library = unsafe cmhd() else { throw ServerError.library(unsafe String(cString: cmhd_error())) }
        let listener = try Listener(address: configuration.address, port: configuration.port)
        unsafe self.library = unsafe library
        self.configuration = configuration
        self.handler = handler
        port = listener.port
        daemon = Mutex(Daemon())

        var options = unsafe Callbacks.options(for: self, listeningOn: listener.descriptor)
        guard let started = unsafe cmhd_start(library, &options) else {
            close(listener.descriptor)
            throw ServerError.library("the server did not start")
        }
        daemon.withLock { unsafe $0.pointer = started }
        connections.watch(limit: configuration.requestTimeout)
    }

    deinit {
        stop()
    }

    /// Refuses new connections, answers what is parked with 503, waits for the rest and closes everything.
    package func stop() {
        guard !isStopping.exchange(true, ordering: .sequentiallyConsistent) else {
            while !isStopped.load(ordering: .acquiring) { usleep(1_000) }
            return
        }
        if let daemon = unsafe daemon.withLock({ unsafe $0.pointer }) {
            let descriptor = unsafe library.pointee.quiesce_daemon(daemon)
            // A daemon that is stopped while a connection is suspended ends the process, so nothing may stay parked.
            var turns = 0
            repeat {
                turns += 1
                // Who is still sending a request after a second is not waited for.
                if turns > 1_000 { connections.shutDownAll() }
                let waiting = parked.withLock { Array($0.values) }
                for exchange in waiting { exchange.respond(Server.stopping) }
                if requestsUnderWay.load(ordering: .acquiring) == 0 { break }
                usleep(1_000)
            } while true
            unsafe library.pointee.stop_daemon(daemon)
            if descriptor >= 0 { close(descriptor) }
        }
        connections.stopWatching()
        isStopped.store(true, ordering: .releasing)
    }

    @safe private struct Daemon: @unchecked Sendable {
        var pointer: OpaquePointer?
    }

    static let stopping = Problem(
        .serviceUnavailable, type: "stopping", title: "Stopping", detail: "this server is being stopped", retryAfter: 1
    ).response(requestID: "")
}
