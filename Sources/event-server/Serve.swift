internal import CSystem
internal import Costs
internal import EventServer
internal import HTTPServer
internal import Schedules

/// `event-server serve`: the platform for one function.
enum Serve {
    static let platformOptions: [String: Options.Kind] = [
        "bootstrap": .value, "port": .value, "shape": .value, "concurrency": .value, "timeout-ms": .value,
        "memory": .value, "cpu": .value,
        "queue": .value, "throttle": .flag, "idle-seconds": .value, "init-ms": .value, "freeze": .flag, "env": .list,
        "platform": .value, "instance-concurrency": .value, "initialize-ms": .value, "pre-stop-ms": .value,
        "default-domain": .flag,
        "template": .value, "record": .value,
    ]
    static let options = platformOptions.merging(["function": .value]) { first, _ in first }

    static func run(_ options: Options) throws(UsageError) -> Int32 {
        guard let function = options.text("function") else { throw UsageError("--function is missing") }
        guard let bootstrap = options.text("bootstrap") else { throw UsageError("--bootstrap is missing") }
        let cloud = try cloud(options, default: "lambda")
        var settings = try settings(options, on: cloud, function: function, bootstrap: bootstrap)
        let template = try Templates.read(options, of: cloud)
        settings = template?.applied(to: settings) ?? settings
        let port = try options.number("port", in: 0...65_535) ?? 8_080
        do throws(ServerError) {
            let local = try LocalFunction(settings, on: cloud, port: port)
            Templates.announce(template, function)
            Terminal.print("\(function) http://127.0.0.1:\(local.port)")
            _ = csystem_wait_for_termination()
            local.stop()
            return 0
        } catch {
            Terminal.complain("\(error)")
            return 1
        }
    }

    private static let computeOptions = ["initialize-ms", "pre-stop-ms", "default-domain"]

    private static let lambdaOptions = ["shape", "queue", "throttle"]

    /// The cloud that is played: as the option says, or else the default.
    static func cloud(_ options: Options, default name: String) throws(UsageError) -> LocalFunction.Cloud {
        let isOption = options.text("platform") != nil
        switch options.text("platform") ?? name {
        case "lambda":
            for option in computeOptions where options.flag(option) {
                throw UsageError("--\(option) is for --platform fc")
            }
            return .lambda
        case "fc":
            for option in lambdaOptions where options.flag(option) {
                throw UsageError("--\(option) is for --platform lambda")
            }
            return .compute(instanceConcurrency: try options.number("instance-concurrency", in: 1...200) ?? 200)
        default: throw UsageError("\(isOption ? "--platform" : "PLATFORM") must be lambda or fc")
        }
    }

    static func settings(
        _ options: Options, on cloud: LocalFunction.Cloud, function: String, bootstrap: String
    ) throws(UsageError) -> PlatformSettings {
        _ = try options.number("port", in: 0...65_535)
        var settings = PlatformSettings(functionName: function, bootstrap: absolute(bootstrap), output: Terminal.print)
        if case .compute = cloud {
            settings.initTimeout = .seconds(120)
            settings.idleLimit = .seconds(60)
            settings.initializeLimit = try milliseconds("initialize-ms", options, most: 300_000)
            settings.preStopLimit = try milliseconds("pre-stop-ms", options, most: 90_000)
            settings.isDefaultDomain = options.flag("default-domain")
        }
        settings.freezes = options.flag("freeze")
        if case .lambda = cloud, let loops = try options.number("instance-concurrency", in: 1...1_000) {
            if settings.freezes {
                throw UsageError("--freeze: an instance that gets several events at once is never frozen")
            }
            settings.maxConcurrency = loops
            // There is no queue before managed instances.
            settings.queue = 0
        }
        settings.initTimeout = try milliseconds("init-ms", options, most: 900_000) ?? settings.initTimeout
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
        settings.vcpu = try vcpu(options) ?? settings.vcpu
        do throws(PriceSheet.Malformed) {
            if case .lambda = cloud {
                settings.price = try InvocationPrice(on: .lambda)
            } else {
                settings.price = try InvocationPrice(on: .compute)
            }
        } catch {
            throw UsageError("\(error)")
        }
        settings.throttle = options.flag("throttle")
        settings.timeout = try milliseconds("timeout-ms", options, most: 900_000) ?? settings.timeout
        if settings.maxConcurrency != nil, options.text("init-ms") == nil {
            settings.initTimeout = max(.seconds(130), settings.timeout)
        }
        if let seconds = try options.number("idle-seconds", in: 1...86_400) { settings.idleLimit = .seconds(seconds) }
        if let file = options.text("record") {
            guard let recorder = Recorder(file: absolute(file), complain: Terminal.print) else {
                throw UsageError("--record \(file) cannot be written")
            }
            settings.recorder = recorder
        }
        for pair in options.list("env") {
            guard let equals = pair.firstIndex(of: "="), equals != pair.startIndex else {
                throw UsageError("--env must be NAME=VALUE")
            }
            settings.environment.append((String(pair[..<equals]), String(pair[pair.index(after: equals)...])))
        }
        return settings
    }

    private static func vcpu(_ options: Options) throws(UsageError) -> Double? {
        guard let text = options.text("cpu") else { return nil }
        guard let number = Double(text), (0.05...16).contains(number) else {
            throw UsageError("--cpu must be a number from 0.05 to 16")
        }
        return number
    }

    private static func milliseconds(_ name: String, _ options: Options, most: Int) throws(UsageError) -> Duration? {
        try options.number(name, in: 1...most).map { .milliseconds($0) }
    }

    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : WorkingFolder.path + "/" + path
    }
}
