internal import CSystem
package import Clocks
internal import Glibc
package import HTTP
package import Log

/// Runs handlers as a function: on AWS Lambda's custom runtime, or on Alibaba's Function Compute.
package enum FunctionRuntime {
    /// Serves invocations until the platform ends the process; answers the exit code if it ends by itself.
    ///
    /// - Parameters:
    ///   - environment: looks up an environment variable.
    ///   - immediate: answers from memory, asked on the network thread where the function serves HTTP itself.
    ///   - makeHandler: makes the handler of the worker with that number. A `StartupError` is reported to the platform,
    ///     logged as one line that names the variable, and ends the process with 1.
    package static func main(
        environment: (String) -> String?, logger: Logger, clock: any Clock, immediate: any ImmediateResponder,
        makeHandler: @Sendable (Int) throws(StartupError) -> any Handler
    ) -> Int32 {
        csystem_hide_memory_of_crashes()
        var client: RuntimeClient?
        do throws(StartupError) {
            if isServing(environment) {
                return try ServeLoop.run(
                    try serveSettings(environment), logger: logger, clock: clock, immediate: immediate,
                    makeHandler: makeHandler)
            }
            let address = try runtimeAddress(environment)
            client = RuntimeClient(address: address)
            let settings = try Settings(environment)
            let context = WorkerContext(logger: logger, clock: clock, timeout: settings.timeout)
            var workers: [Worker] = []
            for number in 0..<settings.workers {
                let handler = try makeHandler(number)
                guard let client = number == 0 ? client : RuntimeClient(address: address) else {
                    throw invalidAddress
                }
                workers.append(Worker(source: client, handler: handler, context: context))
            }
            return Worker.runAll(workers, logger: logger)
        } catch {
            logger.log(
                .error, "startup_failed", [("variable", .string(error.variable)), ("detail", .string(error.message))])
            reportInit(error, by: client, logger: logger)
            return 1
        }
    }

    // MARK: Function Compute

    /// In the order in which they count (custom runtimes on Function Compute; the local runner of Serverless Devs sets the second).
    private static let portVariables = ["FC_CUSTOM_LISTEN_PORT", "FC_SERVER_PORT", "CAPort"]

    /// Lambda sets one variable for every custom runtime, Function Compute these.
    private static func isServing(_ environment: (String) -> String?) -> Bool {
        func isSet(_ name: String) -> Bool { environment(name).map { !$0.isEmpty } ?? false }
        if isSet(addressVariable) { return false }
        return (portVariables + ["FC_FUNCTION_NAME", "FC_FUNCTION_HANDLER"]).contains(where: isSet)
    }

    static func serveSettings(_ environment: (String) -> String?) throws(StartupError) -> ServeLoop.Settings {
        var port: UInt16 = 9_000
        for name in portVariables + ["PORT"] {
            guard let text = environment(name), !text.isEmpty else { continue }
            guard let number = UInt16(text) else {
                throw StartupError(variable: name, message: "must be a port, 0 to 65535")
            }
            port = number
            break
        }
        let settings = try Settings(environment)
        // Without keys nothing but this machine may connect.
        let isOpen = environment("AUTH") == "none"
        return ServeLoop.Settings(
            address: isOpen ? "127.0.0.1" : "0.0.0.0", port: port, workers: workers, queue: 200,
            timeout: settings.timeout)
    }

    /// Each has a database connection; a few are always free of upstream calls, which `Flights` bounds.
    package static let workers = 12

    /// One for each processor, but no more than the workers can share evenly, and two at least, so that one that computes
    /// does not hold up every connection.
    package static let networkThreads = min(max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN))), 4)

    // MARK: Lambda

    private static let addressVariable = "AWS_LAMBDA_RUNTIME_API"
    private static let invalidAddress = StartupError(variable: addressVariable, message: "is not host:port")

    private static func runtimeAddress(_ environment: (String) -> String?) throws(StartupError) -> String {
        guard let address = environment(addressVariable), !address.isEmpty else {
            throw StartupError(
                variable: addressVariable,
                message: "is missing, and so is FC_CUSTOM_LISTEN_PORT: this program is started by a function platform")
        }
        guard Endpoint(address) != nil else { throw invalidAddress }
        return address
    }

    private static func reportInit(_ error: StartupError, by client: RuntimeClient?, logger: Logger) {
        guard let client else { return }
        do throws(RuntimeAPIError) {
            _ = try client.failInit(with: .badConfiguration(error))
        } catch {
            logger.log(.warn, "runtime_api", [("detail", .string(error.description))])
        }
    }
}

/// What the environment says about the loop.
struct Settings: Equatable {
    /// More workers than a process may have threads are of no use.
    private static let workerLimit = 1_000

    /// Loops that run side by side: `AWS_LAMBDA_MAX_CONCURRENCY`, one where it is absent.
    let workers: Int
    /// `FUNCTION_TIMEOUT_MS`, for invocations without a deadline.
    let timeout: Duration

    init(_ environment: (String) -> String?) throws(StartupError) {
        let concurrency = try Self.wholeNumber("AWS_LAMBDA_MAX_CONCURRENCY", environment) ?? 1
        workers = min(max(1, concurrency), Self.workerLimit)
        let milliseconds = try Self.wholeNumber("FUNCTION_TIMEOUT_MS", environment)
        if milliseconds == 0 { throw StartupError(variable: "FUNCTION_TIMEOUT_MS", message: "must be more than 0") }
        timeout = milliseconds.map { .milliseconds($0) } ?? TimeLimit.fallback
    }

    private static func wholeNumber(_ variable: String, _ environment: (String) -> String?) throws(StartupError) -> Int?
    {
        guard let text = environment(variable), !text.isEmpty else { return nil }
        guard text.utf8.count <= 9, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text) else {
            throw StartupError(variable: variable, message: "is not a whole number")
        }
        return number
    }
}
