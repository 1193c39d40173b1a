internal import Fibers
internal import HTTP
internal import TriggerEvents

/// The workers of one network thread: fibers, each with a handler and so a database connection of its own.
///
/// `@unchecked Sendable`: made on the main thread; from then on only `start` is called, on the thread of its loop.
final class Lane: @unchecked Sendable {
    let loop: EventLoop
    private var idle: [Worker] = []

    /// - Parameters:
    ///   - work: one step of a job.
    ///   - next: the job that waits longest; nil where there is none and the worker is idle from then on.
    init(
        _ loop: EventLoop, _ handlers: [any Handler],
        work: @escaping (Job, any Handler, inout EventDecoder) -> Void, next: @escaping () -> Job?
    ) {
        self.loop = loop
        idle = handlers.map { Worker(self, $0, work, next) }
    }

    /// Lets an idle worker begin: there is one.
    func start(_ job: Job) {
        guard let worker = idle.popLast() else { preconditionFailure("no worker waits for this job") }
        worker.start(job)
    }

    private final class Worker {
        private var job: Job?
        private var fiber: Fiber?

        init(
            _ lane: Lane, _ handler: any Handler, _ work: @escaping (Job, any Handler, inout EventDecoder) -> Void,
            _ next: @escaping () -> Job?
        ) {
            // Both live as long as the process, and hold each other.
            fiber = Fiber(on: lane.loop) { [unowned lane] in
                var decoder = EventDecoder()
                while true {
                    while let job = self.job {
                        work(job, handler, &decoder)
                        self.job = next()
                    }
                    lane.idle.append(self)
                    self.fiber?.suspend()
                }
            }
        }

        func start(_ job: Job) {
            self.job = job
            fiber?.resume()
        }
    }
}
