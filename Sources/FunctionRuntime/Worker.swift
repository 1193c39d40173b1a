internal import Fibers
internal import Glibc
internal import HTTP
internal import Log

typealias WorkerContext = InvocationLoop<RuntimeClient>.Context

/// One loop with its own connection and its own handler.
///
/// `@unchecked Sendable`: a worker is made on the main thread, handed to one thread before that thread starts, and used
/// by no other from then on.
final class Worker: @unchecked Sendable {
    private var loop: InvocationLoop<RuntimeClient>

    init(source: RuntimeClient, handler: any Handler, context: WorkerContext) {
        loop = InvocationLoop(source: source, handler: handler, context: context)
    }

    /// Runs every worker; returns the exit code as soon as one of them ends, since the process has to end with it.
    static func runAll(_ workers: [Worker], logger: Logger) -> Int32 {
        // One worker needs no thread.
        if workers.count == 1 { return workers[0].run(logger: logger) }
        let firstEnd = FirstEnd()
        for worker in workers {
            let started = Thread.startDetached { firstEnd.signal(worker.run(logger: logger)) }
            if !started {
                logger.log(.error, "startup_failed", [("detail", .string("no thread can be started"))])
                return 1
            }
        }
        return firstEnd.wait()
    }

    private func run(logger: Logger) -> Int32 {
        do throws(RuntimeAPIError) {
            try loop.run()
            return 0
        } catch {
            logger.log(.error, "runtime_api", [("detail", .string(error.description)), ("exit", .bool(true))])
            return 1
        }
    }
}
