internal import CCurl
internal import Certificates
package import Clocks
internal import Fibers
package import HTTP

/// The HTTP client over libcurl: one easy handle, which keeps its connections between calls.
///
/// One value belongs to one worker.
///
/// libcurl is opened by the first call. Every call
/// - speaks HTTP/1.1 over http or https, follows no redirect, keeps no cookie, reads no `.netrc` and uses no proxy, whatever the
///   environment says: a proxy would see where secrets go and answer in the provider's name;
/// - connects to no address that `mayConnect` refuses: it is asked with the very address that a socket is opened to, so that
///   no name can mean one address when it is looked at and another when it is used; a kept connection is looked at again;
/// - verifies the server's certificate and name, TLS 1.2 at least;
/// - sends **at most one request**. libcurl repeats a request by itself on a fresh connection when a kept one turns out to be
///   dead; the second time a connection stands, the call is ended instead, and counts as ambiguous if a byte of the
///   first try was sent. A connection that was idle for over ten seconds, counted by whichever clock saw more (a frozen
///   function's does not always run), is not used again, so that this stays rare.
package final class CurlClient: Client {
    /// The longest idle time after which a connection is used again.
    package static let longestIdle: Duration = .seconds(10)

    /// Names that are answered from here instead of the resolver: `name:port:address[,address]`.
    package var pinnedNames: [String] = []

    private let clock: any Clock
    private let mayConnect: (URL.Origin, IPAddress) -> Bool
    private let certificates: String?
    private var transfer: Transfer?
    private var lastUse: Moment?

    /// - Parameters:
    ///   - certificates: a PEM file of certification authorities; nil looks where the usual images keep theirs.
    ///   - mayConnect: whether a connection to the address may be made for a request to the origin.
    ///   - clock: counts the idle time of kept connections and the time that `willSend` takes.
    package init(
        certificates: String? = nil, mayConnect: @escaping (URL.Origin, IPAddress) -> Bool = { _, _ in true },
        clock: any Clock = SystemClock()
    ) {
        self.mayConnect = mayConnect
        self.certificates = certificates
        self.clock = clock
    }

    package func send(
        _ request: ClientRequest, limits: ClientLimits, willSend: () -> Bool, didSend: () -> Void
    ) throws(ClientError) -> ClientResponse {
        guard let origin = try? URL.Origin(of: request.url) else { throw .notSent(.badURL) }
        let started = clock.now()
        let transfer = try Fiber.elsewhere {
            Result { () throws(ClientError) in try openedTransfer() }
        }.get()
        let mayReuse = lastUse.map { $0.elapsed(to: started) <= CurlClient.longestIdle } ?? false
        let clock = self.clock
        let mayConnect = self.mayConnect
        let result = withoutActuallyEscaping(willSend) { willSend in
            withoutActuallyEscaping(didSend) { didSend in
                let exchange = Exchange(
                    bodyBytes: request.body.count, limits: limits, mayConnect: { mayConnect(origin, $0) },
                    willSend: willSend, didSend: didSend,
                    isLate: { started.elapsed(to: clock.now()) >= limits.total })
                return Fiber.elsewhere {
                    transfer.perform(
                        request, limits: limits, mayReuse: mayReuse, pinned: pinnedNames, exchange: exchange)
                }
            }
        }
        lastUse = clock.now()
        return try result.get()
    }

    private func openedTransfer() throws(ClientError) -> Transfer {
        if let transfer { return transfer }
        guard let opened = Transfer(certificates: certificates ?? CertificateFile.found()) else {
            throw .notSent(.library)
        }
        transfer = opened
        return opened
    }
}
