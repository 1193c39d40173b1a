internal import CMicroHTTPD
internal import Fibers
internal import Glibc
internal import Synchronization

/// One thread that serves its share of a server's connections, and runs its event loop beside.
final class NetworkThread: Sendable {
    private let work: Work
    private let thread: Thread

    /// Takes connections from here on.
    ///
    /// - Parameter threads: how many share the socket and the connections.
    init(_ core: Core, _ socket: SharedSocket, on loop: EventLoop, of threads: Int) throws(ServerError) {
        let work = try Work(core, socket, loop, threads)
        guard let thread = Thread.start(work.run) else {
            work.takeNoMore()
            work.stop()
            throw .start
        }
        self.work = work
        self.thread = thread
    }

    /// Takes no new connection, soon; the last thread that does so closes the socket.
    func refuseConnections() {
        work.loop.post { [work] in
            work.takeNoMore()
            work.socket.release()
        }
    }

    /// Every connection that it has.
    var connections: ConnectionTable { work.core.connections }

    /// Cuts off whoever is still sending, or does not take an answer: soon, and in a second or two whom the library overlooks.
    func cutConnections() {
        // On the thread: behind what it accepted before it took no more.
        work.loop.post { [core = work.core] in
            let connections = core.connections.all
            for connection in connections { connection.cut() }
            core.end(connections)
        }
    }

    /// Ends connections, in a second or two, that the library does not look at: a chunk's line without end has filled their buffer.
    func end(overlooked: [Connection]) {
        if overlooked.isEmpty { return }
        work.loop.post { [core = work.core] in core.end(overlooked) }
    }

    /// Closes every connection; none may be suspended.
    func end() {
        work.loop.post { [work] in work.isEnding.store(true, ordering: .relaxed) }
        thread.join()
        work.stop()
    }

    /// What runs on the thread; the library's daemon is used there alone, until the thread has ended.
    ///
    /// The library's own threads would race for the socket when it is taken from them, and abort the process.
    @safe private final class Work: @unchecked Sendable {
        let loop: EventLoop
        let isEnding = Atomic(false)
        let socket: SharedSocket
        /// The library's callbacks have no reference of their own.
        let core: Core
        private let table: UnsafePointer<cmhd_table>
        private let daemon: OpaquePointer
        /// More turns than a large answer takes that is sent without a pause.
        private static let patience = 1_000

        init(_ core: Core, _ socket: SharedSocket, _ loop: EventLoop, _ threads: Int) throws(ServerError) {
            let table = unsafe core.library.table
            var options = unsafe options(core: core, socket: socket.socket, threads: threads)
            guard let daemon = unsafe cmhd_start(table, &options) else { throw .start }
            self.core = core
            self.loop = loop
            self.socket = socket
            unsafe self.table = unsafe table
            unsafe self.daemon = unsafe daemon
            guard unsafe loop.watch(cmhd_poller(table, daemon)) else {
                takeNoMore()
                stop()
                throw .start
            }
        }

        @Sendable func run() {
            loop.enter {
                var idleTurns = 0
                while !isEnding.load(ordering: .relaxed) {
                    var timeout = self.timeout
                    // As long as a chunk's line fills a connection's buffer, the library asks for turns that change nothing.
                    idleTurns = timeout == .zero && !core.takeProgress() ? idleTurns + 1 : 0
                    if idleTurns > Work.patience { timeout = .milliseconds(1) }
                    loop.turn(atMost: timeout)
                    unsafe _ = table.pointee.run(daemon)
                }
            }
        }

        func takeNoMore() {
            unsafe _ = table.pointee.quiesce_daemon(daemon)
        }

        func stop() {
            unsafe table.pointee.stop_daemon(daemon)
        }

        /// When the library wants to run without an event; nil for never.
        private var timeout: Duration? {
            var milliseconds: UInt64 = 0
            let isSet = unsafe table.pointee.get_timeout(daemon, &milliseconds) == .YES
            return isSet ? .milliseconds(Int64(clamping: milliseconds)) : nil
        }
    }
}

/// A listening socket that several threads take connections from; closed when the last of them has let it go.
final class SharedSocket: Sendable {
    let socket: ListeningSocket
    private let holders: Atomic<Int>

    init(_ socket: ListeningSocket, holders: Int) {
        self.socket = socket
        self.holders = Atomic(holders)
    }

    func release() {
        guard holders.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        // A process that is just being started has a copy until it has its program, and would go on listening.
        _ = shutdown(socket.descriptor, Int32(SHUT_RDWR))
        close(socket.descriptor)
    }
}
