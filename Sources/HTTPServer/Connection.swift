internal import CMicroHTTPD
internal import Glibc
internal import Locks

/// One accepted connection and the moment by which its present step must be done.
///
/// The library's own timeout starts again with every byte, so a peer that sends one byte now and then would live for ever.
/// A connection whose peer closed it together with its last bytes is found here as well: the library waits for one more
/// edge of epoll and overlooks that end, and an idle connection may have years until its deadline.
final class Connection: Sendable {
    let descriptor: Int32
    /// The library's name for it, until it is closed; on the network thread alone.
    let handle: Library.Handle
    /// The peer's address.
    let address: String?
    private let limits: StepLimits
    private let life: Lock<Life>
    /// The request that the library is at; on the network thread alone.
    private nonisolated(unsafe) var transaction: Transaction?

    private struct Life {
        /// Nil while a handler has the request: its time is the handler's.
        var deadline: ContinuousClock.Instant?
        var hasAnswered = false
        /// A peer that has said all it wants to say may still read.
        var isAnswering = false
        /// The deadline of the step in which nothing was left to read but the peer's end.
        var endSeen: ContinuousClock.Instant?
        var isOpen = true
        /// It was shut down, for the library to see that and close it.
        var isCut = false
    }

    init(descriptor: Int32, handle: Library.Handle, address: String?, limits: StepLimits) {
        self.descriptor = descriptor
        self.handle = handle
        self.address = address
        self.limits = limits
        life = Lock(Life(deadline: .now + limits.request))
    }

    func begin(_ transaction: Transaction) {
        endTransaction()
        unsafe self.transaction = transaction
    }

    /// However it ended; once for each.
    func endTransaction() {
        unsafe transaction?.end()
        unsafe transaction = nil
    }

    /// The request line is here.
    ///
    /// A first request has been under way since the connection was accepted.
    func requestStarted() {
        life.withLock { if $0.hasAnswered { $0.deadline = .now + limits.request } }
    }

    func requestComplete() {
        life.withLock { $0.deadline = nil }
    }

    func answerStarted() {
        life.withLock {
            $0.deadline = .now + limits.request
            $0.isAnswering = true
        }
    }

    func answerComplete() {
        life.withLock {
            $0.hasAnswered = true
            $0.isAnswering = false
            $0.deadline = .now + limits.idle
        }
    }

    var isOpen: Bool { life.withLock { $0.isOpen } }

    /// The library is about to close the descriptor; after this nobody here touches it.
    func closed() {
        life.withLock { $0.isOpen = false }
    }

    /// Shuts the socket down if its step is over time, or if it saw the peer's end in the same step the last time it
    /// looked; the library then sees the end and closes it.
    ///
    /// - Returns: whether it has overlooked that: the socket was shut down before.
    func cut(ifOverAt now: ContinuousClock.Instant) -> Bool {
        life.withLock { life in
            guard life.isOpen, let deadline = life.deadline else { return false }
            let isSeen = life.endSeen == deadline
            life.endSeen = !life.isAnswering && hasOnlyEndToRead ? deadline : nil
            guard deadline <= now || (isSeen && life.endSeen != nil) else { return false }
            defer { life.isCut = true }
            _ = shutdown(descriptor, Int32(SHUT_RDWR))
            return life.isCut
        }
    }

    private var hasOnlyEndToRead: Bool {
        var byte: UInt8 = 0
        return unsafe recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0
    }

    func cut() {
        life.withLock { if $0.isOpen { _ = shutdown(descriptor, Int32(SHUT_RDWR)) } }
    }

    /// Sends RST at once: to disconnect a TCP socket by `connect(AF_UNSPEC)` aborts it, where a close would first send FIN.
    func reset() {
        life.withLock {
            guard $0.isOpen else { return }
            var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
            var nowhere = sockaddr()
            nowhere.sa_family = sa_family_t(AF_UNSPEC)
            _ = unsafe connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
        }
    }
}

/// How long a connection may take for one step.
struct StepLimits: Sendable {
    /// Head and body of one request; and again for taking the answer.
    let request: Duration
    /// From one answer to the next request line.
    let idle: Duration
}

/// Every open connection of one network thread.
final class ConnectionTable: Sendable {
    private struct State: Sendable {
        var open: [ObjectIdentifier: Connection] = [:]
        /// Since somebody asked.
        var closed = 0
    }

    private let state = Lock(State())

    func insert(_ connection: Connection) {
        state.withLock { $0.open[ObjectIdentifier(connection)] = connection }
    }

    func remove(_ connection: Connection) {
        state.withLock {
            $0.open[ObjectIdentifier(connection)] = nil
            $0.closed += 1
        }
    }

    var all: [Connection] {
        state.withLock { Array($0.open.values) }
    }

    /// How many were closed since this was asked last.
    func takeClosed() -> Int {
        state.withLock { state in
            defer { state.closed = 0 }
            return state.closed
        }
    }
}
