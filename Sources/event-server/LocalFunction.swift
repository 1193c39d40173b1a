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
            server = try LocalFunction.listen(configuration, orElse: platform.stop) { front.handle($0) }
        case .compute(let instanceConcurrency):
            let platform = ComputePlatform(settings: settings, instanceConcurrency: instanceConcurrency) {
                CurlClient()
            }
            side = .compute(platform)
            // What the cloud takes in one request.
            configuration.maximumBodyBytes = 32 << 20
            server = try LocalFunction.listen(configuration, orElse: platform.stop) { platform.handle($0) }
        }
    }

    private static func listen(
        _ configuration: Server.Configuration, orElse stop: () -> Void, _ handle: @escaping @Sendable (Exchange) -> Void
    ) throws(ServerError) -> Server {
        do throws(ServerError) {
            return try Server(configuration, handler: handle)
        } catch {
            stop()
            throw error
        }
    }

    var port: UInt16 { server.port }

    /// First the platform, so that whoever waits is answered; then the front, which waits for those answers.
    func stop() {
        switch side {
        case .lambda(let platform): platform.stop()
        case .compute(let platform): platform.stop()
        }
        server.stop()
    }
}
