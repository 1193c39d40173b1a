internal import Curl
internal import EventServer
internal import HTTPServer

/// One function of the local platform, on the cloud that is played, and the server in front of it.
struct LocalFunction {
    enum Cloud {
        /// Requests become events, one at a time for an instance.
        case lambda
        /// Requests pass through, so many at a time for an instance.
        case compute(instanceConcurrency: Int)
    }

    private enum Side {
        case lambda(Platform)
        case compute(ComputePlatform)
    }

    private let side: Side
    private let server: Server
    /// The door for what this platform's own parts ask, which is not recorded; nil where nothing is.
    private let inner: Server?

    init(_ settings: PlatformSettings, on cloud: Cloud, port: Int) throws(ServerError) {
        var configuration = Server.Configuration()
        configuration.port = UInt16(port)
        switch cloud {
        case .lambda:
            let platform = Platform(settings: settings)
            side = .lambda(platform)
            // Larger than any event may be, so that too large a one is answered as the cloud does.
            configuration.maximumBodyBytes = 8 << 20
            let front = Front(platform: platform)
            (server, inner) = try LocalFunction.listen(configuration, settings, orElse: platform.stop) {
                front.handle($0, isRecorded: $1)
            }
        case .compute(let instanceConcurrency):
            let platform = ComputePlatform(settings: settings, instanceConcurrency: instanceConcurrency) {
                CurlClient()
            }
            side = .compute(platform)
            // What the cloud takes in one request.
            configuration.maximumBodyBytes = 32 << 20
            (server, inner) = try LocalFunction.listen(configuration, settings, orElse: platform.stop) {
                platform.handle($0, isRecorded: $1)
            }
        }
    }

    private static func listen(
        _ configuration: Server.Configuration, _ settings: PlatformSettings, orElse stop: () -> Void,
        _ handle: @escaping @Sendable (Exchange, _ isRecorded: Bool) -> Void
    ) throws(ServerError) -> (Server, Server?) {
        do throws(ServerError) {
            let server = try Server(configuration) { handle($0, true) }
            guard settings.recorder != nil else { return (server, nil) }
            var inner = configuration
            inner.port = 0
            return (server, try Server(inner) { handle($0, false) })
        } catch {
            stop()
            throw error
        }
    }

    var port: UInt16 { server.port }
    /// Where the platform's own parts ask: a replay of the record would ask it again in their place.
    var innerPort: UInt16 { inner?.port ?? server.port }

    /// First the platform, so that whoever waits is answered; then the front, which waits for those answers.
    func stop() {
        switch side {
        case .lambda(let platform): platform.stop()
        case .compute(let platform): platform.stop()
        }
        server.stop()
        inner?.stop()
    }
}
