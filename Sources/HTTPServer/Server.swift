package import Fibers
internal import Glibc
package import HTTP
internal import Locks
internal import Synchronization

/// An HTTP/1.1 server over libmicrohttpd.
///
/// The handler runs on a network thread with the complete request and must not block: it answers at once, or hands the
/// exchange to whoever will. Meanwhile the connection is parked and holds no thread.
///
/// Refused before the handler sees them, as problem details: what two parsers may read differently (400), bodies over the limit
/// (413), heads that leave no room for the answer's (431). Heads over the limit (431, 414) and request lines that are not HTTP (400)
/// get the library's own page, and a few, as some with hundreds of cookies, none: their connection is closed.
package final class Server: Sendable {
    package struct Configuration: Sendable {
        /// A numeric IPv4 or IPv6 address.
        package var address: String
        /// 0 takes any free port.
        package var port: UInt16
        /// Network threads.
        package var threads: Int
        package var maximumBodyBytes: Int
        /// For request line and fields together; the library keeps up to a tenth of it for itself.
        package var maximumHeadBytes: Int
        package var maximumConnections: Int
        /// For head and body of one request, however slowly they come; and again for the client to take the answer.
        package var requestTimeout: Duration
        /// For a connection that is kept open, from an answer to the next request line.
        package var idleTimeout: Duration
        /// Where the id of a request stands, for refusals that no handler sees.
        package var requestIDField: Field.Name
        /// Asked first, on the network thread: answers what nobody has to wait for, so that no exchange is made.
        ///
        /// What it changes in the request stays for the handler.
        package var answerAtOnce: @Sendable (inout HTTP.Request) -> HTTP.Response?

        package init(
            address: String = "127.0.0.1", port: UInt16 = 0, threads: Int = 2, maximumBodyBytes: Int = 1 << 20,
            maximumHeadBytes: Int = 32 << 10, maximumConnections: Int = 10_000, requestTimeout: Duration = .seconds(30),
            idleTimeout: Duration = .seconds(75), requestIDField: Field.Name = .requestID,
            answerAtOnce: @escaping @Sendable (inout HTTP.Request) -> HTTP.Response? = { _ in nil }
        ) {
            self.address = address
            self.port = port
            self.threads = threads
            self.maximumBodyBytes = maximumBodyBytes
            self.maximumHeadBytes = maximumHeadBytes
            self.maximumConnections = maximumConnections
            self.requestTimeout = requestTimeout
            self.idleTimeout = idleTimeout
            self.requestIDField = requestIDField
            self.answerAtOnce = answerAtOnce
        }
    }

    /// The port it listens on.
    package let port: UInt16

    /// One for each network thread.
    private let cores: [Core]
    private let sweeper: DeadlineSweeper
    /// Empty once it has stopped; the lock keeps `stop` to one thread.
    private let threads: Lock<[NetworkThread]>

    /// Listens and answers from here on.
    ///
    /// - Parameters:
    ///   - loops: one for each network thread; nil makes as many as the configuration says.
    ///   - handler: must not block, and must not call `stop`.
    package init(
        _ configuration: Configuration, loops: [EventLoop]? = nil, handler: @escaping @Sendable (Exchange) -> Void
    ) throws(ServerError) {
        let library = try Library()
        let loops = loops ?? (0..<max(1, configuration.threads)).compactMap { _ in EventLoop() }
        guard !loops.isEmpty else { throw .start }
        let socket = try ListeningSocket(address: configuration.address, port: configuration.port)
        let shared = SharedSocket(socket, holders: loops.count)
        let cores = loops.map { _ in Core(library: library, configuration: configuration, handler: handler) }
        var threads: [NetworkThread] = []
        do throws(ServerError) {
            for (core, loop) in zip(cores, loops) {
                threads.append(try NetworkThread(core, shared, on: loop, of: loops.count))
            }
        } catch {
            Server.end(threads, cores, grace: .zero)
            for _ in threads.count..<loops.count { shared.release() }
            throw error
        }
        self.cores = cores
        port = socket.port
        self.threads = Lock(threads)
        sweeper = DeadlineSweeper(threads, requestTimeout: configuration.requestTimeout)
    }

    deinit { stop() }

    /// Refuses new connections, answers what is in flight, and returns when everything is closed.
    ///
    /// Who is parked has `grace` to be answered and then gets a 503; a client that is still sending its request, or does
    /// not take its answer, is cut off a second later. Safe to call again, from any thread but the server's own.
    package func stop(grace: Duration = .zero) {
        threads.withLock { threads in
            if threads.isEmpty { return }
            Server.end(threads, cores, grace: grace)
            sweeper.stop()
            threads = []
        }
    }

    private static func end(_ threads: [NetworkThread], _ cores: [Core], grace: Duration) {
        for thread in threads { thread.refuseConnections() }
        for core in cores { core.refuseNewRequests() }
        waitUntilIdle(cores, atMost: grace)
        for core in cores { core.closeParking() }
        waitUntilIdle(cores, atMost: .seconds(1))
        for thread in threads { thread.cutConnections() }
        // The library aborts the process if it is stopped with a connection suspended, so this waits for the last one.
        waitUntilIdle(cores, atMost: nil)
        for thread in threads { thread.end() }
    }

    private static func waitUntilIdle(_ cores: [Core], atMost limit: Duration?) {
        let deadline = limit.map { ContinuousClock.now + $0 }
        while cores.contains(where: { $0.inFlight.load(ordering: .acquiring) > 0 }) {
            if let deadline, .now >= deadline { return }
            usleep(1_000)
        }
    }
}
