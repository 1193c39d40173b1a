package import Clocks
internal import Glibc
package import HTTPServer
internal import Locks

/// A provider behind a real socket.
package final class ProviderServer: Sendable {
    private let server: Server

    /// Answers from here on.
    package init(
        _ provider: Provider, address: String = "127.0.0.1", port: UInt16 = 0, clock: any Clock = SystemClock()
    ) throws(ServerError) {
        let shared = Lock(provider)
        server = try Server(Server.Configuration(address: address, port: port)) { exchange in
            let reply = shared.withLock { $0.handle(exchange.request, now: clock.now().wall) }
            if reply.delay == .zero { deliver(reply, to: exchange) } else { later(reply, to: exchange) }
        }
    }

    package var port: UInt16 { server.port }

    /// Closes everything; calls that hang get a 503.
    package func stop() {
        server.stop()
    }
}

private func deliver(_ reply: Reply, to exchange: Exchange) {
    switch reply.delivery {
    case .whole(let response): exchange.respond(response)
    case .truncated(let response, let bytes): exchange.respond(response, cutAfter: bytes)
    case .reset: exchange.abort(reset: true)
    case .hang: break
    }
}

private final class Delayed: Sendable {
    let reply: Reply
    let exchange: Exchange

    init(_ reply: Reply, _ exchange: Exchange) {
        self.reply = reply
        self.exchange = exchange
    }
}

/// Delivers on a thread of its own that sleeps first: a delay is rare here, and then it may well be long.
private func later(_ reply: Reply, to exchange: Exchange) {
    let object = unsafe Unmanaged.passRetained(Delayed(reply, exchange))
    var thread = pthread_t()
    let failed = unsafe pthread_create(
        &thread, nil,
        { argument in
            guard let argument = unsafe argument else { return nil }
            let delayed = unsafe Unmanaged<Delayed>.fromOpaque(argument).takeRetainedValue()
            let end = ContinuousClock.now + delayed.reply.delay
            while ContinuousClock.now < end {
                usleep(UInt32(min(max((end - .now) / .microseconds(1), 1), 500_000)))
            }
            deliver(delayed.reply, to: delayed.exchange)
            return nil
        }, object.toOpaque())
    if failed == 0 {
        pthread_detach(thread)
    } else {
        unsafe object.release()
        deliver(reply, to: exchange)
    }
}
