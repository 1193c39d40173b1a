internal import CSystem
internal import Glibc
internal import Locks

/// What one thread waits for: descriptors that its fibers wait for, one source that is always looked at, and what other
/// threads hand over.
///
/// `@unchecked Sendable`: any thread may call `post` and ask `isCurrent`; everything else belongs to the one that runs the loop.
package final class EventLoop: @unchecked Sendable {
    /// How long a wait may be over time before it is noticed.
    private static let sweep: Int32 = 100

    private let poller: Int32
    private let wakeUp: Int32
    private let posted = Lock<[@Sendable () -> Void]>([])
    /// Something was left to be done between two turns.
    private var isInterrupted = false
    /// Those that wait for a descriptor, by descriptor: two never wait for one.
    private var waiting: [Int32: Fiber] = [:]
    /// Those that go on when everything else of this turn is done.
    private var last: [Fiber] = []
    let sharedCalls = SharedCallList()

    /// Nil where the system has no descriptors to give.
    package init?() {
        poller = csystem_poller()
        wakeUp = csystem_event()
        // What was opened is closed by deinit.
        guard poller >= 0, wakeUp >= 0, csystem_poller_add(poller, wakeUp, EventLoop.wakeUpTag) == 0 else { return nil }
    }

    deinit {
        close(poller)
        close(wakeUp)
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        unsafe pthread_key_create(&key, nil)
        return key
    }()

    /// The one that this thread runs.
    package static var current: EventLoop? {
        unsafe pthread_getspecific(key).map { unsafe Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Whether this thread runs it.
    package var isCurrent: Bool {
        unsafe pthread_getspecific(EventLoop.key) == UnsafeMutableRawPointer(Unmanaged.passUnretained(self).toOpaque())
    }

    /// This thread runs it for as long as `body` runs; afterwards the one it ran before.
    package func enter<Result>(_ body: () throws -> Result) rethrows -> Result {
        let before = unsafe pthread_getspecific(EventLoop.key)
        // A thread outlives its loop, and would be left with a pointer to what is gone.
        defer { unsafe _ = pthread_setspecific(EventLoop.key, before) }
        unsafe _ = pthread_setspecific(EventLoop.key, Unmanaged.passUnretained(self).toOpaque())
        return try withExtendedLifetime(self, body)
    }

    private static let wakeUpTag = UInt64.max
    private static let sourceTag = UInt64.max - 1

    /// From now on `turn` ends when this descriptor can be read, for as long as it can.
    package func watch(_ descriptor: Int32) -> Bool {
        csystem_poller_add(poller, descriptor, EventLoop.sourceTag) == 0
    }

    /// Runs something on this loop's thread, soon; from any thread.
    package func post(_ action: @escaping @Sendable () -> Void) {
        let isFirst = posted.withLock {
            $0.append(action)
            return $0.count == 1
        }
        if isFirst { csystem_event_signal(wakeUp) }
    }

    /// The next turn waits for nothing: what runs between two turns left something to be done there; on the loop's thread.
    package func interrupt() { isInterrupted = true }

    /// Waits until there is something to do, so long at most, and lets fibers go on; for ever with nil.
    ///
    /// A turn lasts until the next one: what its thread does in between belongs to it.
    package func turn(atMost limit: Duration?) {
        endTurn()
        // Nobody waits for a descriptor whom a call that is over could serve.
        if waiting.isEmpty, !sharedCalls.all.isEmpty { sharedCalls.removeAll() }
        var milliseconds = limit.map { Int32(clamping: Int64(max($0, .zero) / .milliseconds(1))) } ?? -1
        if !waiting.isEmpty, milliseconds < 0 || milliseconds > EventLoop.sweep { milliseconds = EventLoop.sweep }
        if isInterrupted { milliseconds = 0 }
        unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { tags in
            guard let start = tags.baseAddress else { return }
            let count = unsafe csystem_poller_wait(poller, start, Int32(tags.count), milliseconds)
            for index in 0..<Int(count) {
                switch unsafe tags[index] {
                case EventLoop.sourceTag: break
                case EventLoop.wakeUpTag: runPosted()
                case let tag: waiting.removeValue(forKey: Int32(truncatingIfNeeded: tag))?.goOn(isReady: true)
                }
            }
        }
        if !waiting.isEmpty { endOverdueWaits() }
        // What was left within this turn is seen to right after it.
        isInterrupted = false
    }

    private func endTurn() {
        while !last.isEmpty {
            let fibers = last
            last = []
            for fiber in fibers { fiber.resume() }
        }
    }

    private func runPosted() {
        csystem_event_clear(wakeUp)
        let actions = posted.withLock { actions in
            defer { actions = [] }
            return actions
        }
        for action in actions { action() }
    }

    private func endOverdueWaits() {
        let now = ContinuousClock.now
        for (descriptor, fiber) in waiting where fiber.waitsUntil <= now {
            csystem_poller_forget(poller, descriptor)
            waiting[descriptor] = nil
            fiber.goOn(isReady: false)
        }
    }

    /// Called by a fiber of this loop, which then suspends.
    func awaitEndOfTurn(_ fiber: Fiber) { last.append(fiber) }

    /// Called by a fiber of this loop, which then suspends.
    func await(_ descriptor: Int32, _ readiness: Readiness, _ fiber: Fiber) -> Bool {
        let (toRead, toWrite) = (readiness != .writable, readiness != .readable)
        guard csystem_poller_await(poller, descriptor, toRead, toWrite, UInt64(descriptor)) == 0 else { return false }
        waiting[descriptor] = fiber
        return true
    }
}
