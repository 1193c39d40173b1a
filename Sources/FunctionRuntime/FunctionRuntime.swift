package import Clocks
package import HTTP
package import Log

/// Runs handlers as a function on AWS Lambda's custom runtime.
package enum FunctionRuntime {
    /// Serves invocations until the platform ends the process; answers the exit code if it ends by itself.
    ///
    /// - Parameters:
    ///   - environment: looks up an environment variable.
    ///   - makeHandler: makes the handler of the worker with that number. A `StartupError` is reported to the platform,
    ///     logged as one line that names the variable, and ends the process with 1.
    package static func main(
        environment: (String) -> String?, logger: Logger, clock: any Clock,
        makeHandler: @Sendable (Int) throws(StartupError) -> any Handler
    ) -> Int32 {
        var client: RuntimeClient?
        do throws(StartupError) {
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

    private static let addressVariable = "AWS_LAMBDA_RUNTIME_API"
    private static let invalidAddress = StartupError(variable: addressVariable, message: "is not host:port")

    private static func runtimeAddress(_ environment: (String) -> String?) throws(StartupError) -> String {
        guard let address = environment(addressVariable), !address.isEmpty else {
            throw StartupError(
                variable: addressVariable, message: "is missing: this program is started by a function platform")
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
