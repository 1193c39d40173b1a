internal import CSystem
internal import EventServer
internal import HTTPServer
internal import Schedules

/// `event-server serve`: the platform for one function.
enum Serve {
    static let platformOptions: [String: Options.Kind] = [
        "bootstrap": .value, "port": .value, "shape": .value, "concurrency": .value, "timeout-ms": .value,
        "memory": .value,
        "queue": .value, "throttle": .flag, "idle-seconds": .value, "env": .list,
        "template": .value,
    ]
    static let options = platformOptions.merging(["function": .value]) { first, _ in first }

    static func run(_ options: Options) throws(UsageError) -> Int32 {
        guard let function = options.text("function") else { throw UsageError("--function is missing") }
        guard let bootstrap = options.text("bootstrap") else { throw UsageError("--bootstrap is missing") }
        var settings = try settings(options, function: function, bootstrap: bootstrap)
        settings.timers = try Timers.read(options, format: .sam).filter { $0.handler == function }
        let platform = Platform(settings: settings)
        do throws(ServerError) {
            let server = try listen(platform, port: try? options.number("port", in: 0...65_535))
            Timers.announce(settings.timers)
            Terminal.print("\(function) http://127.0.0.1:\(server.port)")
            _ = csystem_wait_for_termination()
            stop(platform, server)
            return 0
        } catch {
            Terminal.complain("\(error)")
            platform.stop()
            return 1
        }
    }

    static func settings(_ options: Options, function: String, bootstrap: String) throws(UsageError) -> PlatformSettings
    {
        _ = try options.number("port", in: 0...65_535)
        var settings = PlatformSettings(functionName: function, bootstrap: absolute(bootstrap), output: Terminal.print)
        if let shape = options.text("shape") {
            guard let known = EventShape(rawValue: shape) else {
                throw UsageError(
                    "--shape must be one of \(EventShape.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            settings.shape = known
        }
        settings.concurrency = try options.number("concurrency", in: 1...1_000) ?? settings.concurrency
        settings.queue = try options.number("queue", in: 0...1_000_000) ?? settings.queue
        settings.memoryMegabytes = try options.number("memory", in: 128...10_240) ?? settings.memoryMegabytes
        settings.throttle = options.flag("throttle")
        if let milliseconds = try options.number("timeout-ms", in: 1...900_000) {
            settings.timeout = .milliseconds(milliseconds)
        }
        if let seconds = try options.number("idle-seconds", in: 1...86_400) { settings.idleLimit = .seconds(seconds) }
        for pair in options.list("env") {
            guard let equals = pair.firstIndex(of: "="), equals != pair.startIndex else {
                throw UsageError("--env must be NAME=VALUE")
            }
            settings.environment.append((String(pair[..<equals]), String(pair[pair.index(after: equals)...])))
        }
        return settings
    }

    static func listen(_ platform: Platform, port: Int??) throws(ServerError) -> Server {
        var configuration = Server.Configuration()
        configuration.port = UInt16((port ?? nil) ?? 8_080)
        // Larger than any event may be, so that too large a one is answered as the cloud does.
        configuration.maximumBodyBytes = 8 << 20
        let front = Front(platform: platform)
        return try Server(configuration) { exchange in front.handle(exchange) }
    }

    /// First the platform, so that whoever waits is answered; then the front, which waits for those answers.
    static func stop(_ platform: Platform, _ server: Server) {
        platform.stop()
        server.stop()
    }

    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : WorkingFolder.path + "/" + path
    }
}
