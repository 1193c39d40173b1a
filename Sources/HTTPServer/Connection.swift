internal import CMicroHTTPD
internal import Glibc
internal import Locks

/// One accepted connection and the moment by which its present step must be done.
///
/// The library's own timeout starts again with every byte, so a peer that sends one byte now and then would live for ever.
/// The deadline also ends a connection whose peer closed it together with its last bytes: the library waits for one more
/// edge of epoll and overlooks that end.
final class Connection: Sendable {
    let descriptor: Int32
    /// The peer's address.
    let address: String?
    private let limits: StepLimits
    private let life: Lock<Life>

    private struct Life {
        /// Nil while a handler has the request: its time is the handler's.
        var deadline: ContinuousClock.Instant?
        var hasAnswered = false
        var isOpen = true
    }

    init(descriptor: Int32, address: String?, limits: StepLimits) {
        self.descriptor = descriptor
        self.address = address
        self.limits = limits
        life = Lock(Life(deadline: .now + limits.request))
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
        life.withLock { $0.deadline = .now + limits.request }
    }

    func answerComplete() {
        life.withLock {
            $0.hasAnswered = true
            $0.deadline = .now + limits.idle
        }
    }

    /// The library is about to close the descriptor; after this nobody here touches it.
    func closed() {
        life.withLock { $0.isOpen = false }
    }

    /// Shuts the socket down if its step is over time; the library then sees its end and closes it.
    func cut(ifLateAt now: ContinuousClock.Instant) {
        life.withLock {
            if let deadline = $0.deadline, deadline <= now, $0.isOpen { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
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

/// Every open connection of one server.
final class ConnectionTable: Sendable {
    private let connections = Lock<[ObjectIdentifier: Connection]>([:])

    func insert(_ connection: Connection) {
        connections.withLock { $0[ObjectIdentifier(connection)] = connection }
    }

    func remove(_ connection: Connection) {
        connections.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(connection)) }
    }

    var all: [Connection] {
        connections.withLock { Array($0.values) }
    }
}
