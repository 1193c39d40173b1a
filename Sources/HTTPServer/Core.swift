internal import HTTP
internal import Locks
internal import Synchronization

/// What one network thread, its exchanges and the server share: no thread waits for another's counters.
final class Core: Sendable {
    let library: Library
    let configuration: Server.Configuration
    /// The configuration's, wrapped: each call counts a reference to the wrapping, which is this thread's own.
    let answerAtOnce: @Sendable (inout HTTP.Request) -> HTTP.Response?
    let handler: @Sendable (Exchange) -> Void
    let connections = ConnectionTable()
    /// Requests between the library's first and last callback for them.
    let inFlight = Atomic<Int>(0)
    /// Whether the library has called back for a request; on the network thread alone.
    private nonisolated(unsafe) var hasProgress = false
    private let parking = Lock(Parking())
    /// New requests are refused; every request looks, so without a lock.
    private let stopping = Atomic(false)
    /// Keeps what another thread counts out of this one's cache lines.
    private let distance = InlineArray<16, UInt64>(repeating: 0)

    private struct Parking {
        var exchanges: [ObjectIdentifier: Exchange] = [:]
        /// Nobody may wait any more.
        var isClosed = false
    }

    init(library: Library, configuration: Server.Configuration, handler: @escaping @Sendable (Exchange) -> Void) {
        self.library = library
        self.configuration = configuration
        let answerAtOnce = configuration.answerAtOnce
        self.answerAtOnce = { answerAtOnce(&$0) }
        self.handler = handler
    }

    static let stopping = {
        let problem = Problem(
            .serviceUnavailable, type: "stopping", title: "Stopping", detail: "this server is stopping", retryAfter: 1)
        var response = problem.response(requestID: "")
        response.guardAgainstBrowsers()
        return response
    }()

    func noteProgress() { unsafe hasProgress = true }

    /// Whether the library has called back since this was asked last.
    func takeProgress() -> Bool {
        defer { unsafe hasProgress = false }
        return unsafe hasProgress
    }

    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// Has the library close them, even if it looks at them no more; on the network thread.
    func end(_ connections: [Connection]) {
        for connection in connections where connection.isOpen { library.end(connection.handle) }
    }

    /// False once nobody may wait any more.
    func park(_ exchange: Exchange) -> Bool {
        parking.withLock {
            if $0.isClosed { return false }
            $0.exchanges[ObjectIdentifier(exchange)] = exchange
            return true
        }
    }

    func unpark(_ exchange: Exchange) {
        parking.withLock { _ = $0.exchanges.removeValue(forKey: ObjectIdentifier(exchange)) }
    }

    func refuseNewRequests() {
        stopping.store(true, ordering: .releasing)
    }

    /// Answers 503 to everybody who waits, and to everybody who would from now on.
    func closeParking() {
        let waiting = parking.withLock {
            $0.isClosed = true
            return Array($0.exchanges.values)
        }
        for exchange in waiting { exchange.respond(Core.stopping) }
    }
}
