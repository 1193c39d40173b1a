internal import CSystem
internal import Glibc

/// What a wait for a descriptor waits for.
package enum Readiness: Sendable {
    case readable, writable, either
}

/// A coroutine of one event loop: where it would wait for a descriptor or for a call that blocks, its thread goes on with others.
///
/// Code does not see whether it runs on one: it waits by `waitUntil` and calls what blocks by `elsewhere`, and outside
/// of all fibers both just block. No lock may be held across either.
package final class Fiber {
    let loop: EventLoop
    private let coroutine: Coroutine
    /// The moment at which its wait for a descriptor ends in vain.
    private(set) var waitsUntil = ContinuousClock.now
    private var isReady = false

    /// - Parameter body: runs from the first `resume` on.
    package init(on loop: EventLoop, _ body: @escaping () -> Void) {
        self.loop = loop
        coroutine = Coroutine(body)
        coroutine.fiber = self
    }

    /// The one that runs on this thread.
    package static var current: Fiber? { Coroutine.current?.fiber }

    /// Runs it until it suspends; on its loop's thread, and not while it waits for a descriptor or a call.
    package func resume() { coroutine.resume() }

    /// Inside of it: somebody has to resume it.
    package func suspend() { coroutine.suspend() }

    /// Inside of it: lets everything else go first that this thread has to do before it would wait.
    func suspendUntilEndOfTurn() {
        loop.awaitEndOfTurn(self)
        suspend()
    }

    /// Waits until the descriptor is ready: 1, 0 when the time is over, or -1, as `poll` answers, with `errno`.
    ///
    /// - Parameter milliseconds: below 0 for ever.
    package static func waitUntil(_ readiness: Readiness, _ descriptor: Int32, milliseconds: Int32) -> Int32 {
        guard let fiber = current else {
            let events = (readiness == .writable ? 0 : POLLIN) | (readiness == .readable ? 0 : POLLOUT)
            var wait = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            var result: Int32
            repeat { result = unsafe poll(&wait, 1, milliseconds) } while result < 0 && csystem_errno() == EINTR
            if result == 0 { csystem_set_errno(ETIMEDOUT) }
            return result
        }
        fiber.waitsUntil = .now + (milliseconds < 0 ? .seconds(365 * 86_400) : .milliseconds(milliseconds))
        guard fiber.loop.await(descriptor, readiness, fiber) else { return -1 }
        fiber.suspend()
        // Others ran on this thread meanwhile.
        if !fiber.isReady { csystem_set_errno(ETIMEDOUT) }
        return fiber.isReady ? 1 : 0
    }

    /// Runs what blocks on a thread that has nothing else to do.
    package static func elsewhere<Result>(_ body: () -> Result) -> Result {
        guard let fiber = current else { return body() }
        return withoutActuallyEscaping(body) { body in
            let call = Call(body, for: fiber)
            if BlockingThreads.shared.run({ call.run(thenResumes: true) }) {
                fiber.suspend()
            } else {
                call.run(thenResumes: false)
            }
            return call.takeResult()
        }
    }

    fileprivate func postResumption() {
        let resumption = Resumption(fiber: self)
        loop.post { resumption.run() }
    }

    /// `@unchecked Sendable`: it travels to its own loop's thread, which alone uses it.
    private struct Resumption: @unchecked Sendable {
        let fiber: Fiber

        func run() { fiber.resume() }
    }

    func goOn(isReady: Bool) {
        self.isReady = isReady
        coroutine.resume()
    }
}

/// A call on its way to another thread and back; `@unchecked Sendable`: its fiber sleeps for as long as the other thread has it.
private final class Call<Result>: @unchecked Sendable {
    private var body: (() -> Result)?
    private var result: Result?
    private let fiber: Fiber

    init(_ body: @escaping () -> Result, for fiber: Fiber) {
        self.body = body
        self.fiber = fiber
    }

    func run(thenResumes: Bool) {
        result = body?()
        // Before the fiber goes on: what the body refers to ends with its frame.
        body = nil
        if thenResumes { fiber.postResumption() }
    }

    func takeResult() -> Result {
        guard let result else { preconditionFailure("resumed before its call has ended") }
        return result
    }
}
