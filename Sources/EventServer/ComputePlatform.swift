package import Clocks
internal import Glibc
package import HTTP
package import HTTPServer
internal import JSON
internal import Locks
internal import Schedules

/// Alibaba's Function Compute on this machine: requests pass through to functions that serve HTTP themselves, many at once on one instance.
///
/// https://www.alibabacloud.com/help/en/functioncompute/fc-3-0/user-guide/custom-runtime
package final class ComputePlatform: Sendable {
    private struct State: Sendable {
        var instances: [ComputeInstance] = []
        var nextNumber = 1
        var account: Account
        var isStopping = false
    }

    private let settings: PlatformSettings
    /// Requests that one instance gets at a time.
    private let instanceConcurrency: Int
    private let clock: any Clock
    private let state: Lock<State>
    private let relays: Relays
    private let timers: TimerRunner
    private let makeClient: @Sendable () -> any HTTP.Client

    /// - Parameter makeClient: makes the client of one thread.
    package init(
        settings: PlatformSettings, instanceConcurrency: Int, clock: any Clock = SystemClock(),
        makeClient: @escaping @Sendable () -> any HTTP.Client
    ) {
        self.settings = settings
        self.instanceConcurrency = instanceConcurrency
        self.clock = clock
        self.makeClient = makeClient
        state = Lock(State(account: Account(settings, billsBusyTime: true)))
        relays = Relays(makeClient: makeClient)
        timers = TimerRunner(settings.timers, clock: clock)
        BackgroundThread.start { self.endIdleOnes() }
        timers.start { [weak self] timer, due in self?.run(timer, due: due) }
    }

    /// - Parameter isRecorded: false for what did not come from outside.
    package func handle(_ exchange: Exchange, isRecorded: Bool = true) {
        let request = exchange.request
        if request.path == "/_event-server/invocations" {
            var response = Response(.ok, body: accountText())
            response.fields[.contentType] = "application/json"
            return exchange.respond(response)
        }
        if request.path == FireRoute.path { return fire(exchange, isRecorded) }
        if let name = InvokeRoute.functionCompute.function(request.path) { return invoke(name, exchange, isRecorded) }
        if let refusal = ComputeLimits.refusal(of: request) {
            return exchange.respond(ComputeOutcome.identified(refusal, RequestID.next()))
        }
        relay(ComputeRequest(request, settings, control: "/http-invoke", isRecorded: isRecorded)) {
            exchange.respond($0)
        }
    }

    // MARK: Timers

    /// A timer, now, and what the function says to it.
    private func fire(_ exchange: Exchange, _ isRecorded: Bool) {
        switch FireRoute.timer(exchange.request, of: settings, sender: .functionCompute) {
        case .refused(let response): exchange.respond(response)
        case .timer(let timer):
            relay(invocation(of: timer, due: clock.now().wall, isRecorded: isRecorded)) { exchange.respond($0) }
        }
    }

    /// The trigger calls asynchronously: what the function answers goes nowhere.
    private func run(_ timer: TimerTrigger, due: Timestamp) {
        let request = invocation(of: timer, due: due, isRecorded: false)
        settings.output("timer \(timer.name): RequestId: \(request.id)")
        relay(request) { _ in }
    }

    private func invocation(of timer: TimerTrigger, due: Timestamp, isRecorded: Bool) -> ComputeRequest {
        let event = TimerEvent.bytes(for: timer, due: due, id: "")
        return ComputeRequest(
            Request(.post, path: "/invoke", body: event), settings, control: "/invoke", isRecorded: isRecorded)
    }

    // MARK: Events

    /// The body is the event, as for the API's InvokeFunction; who calls asynchronously is told at once that it was taken.
    private func invoke(_ name: String, _ exchange: Exchange, _ isRecorded: Bool) {
        let request = exchange.request
        guard request.method == .post else {
            return exchange.respond(Response(.methodNotAllowed, json: ["ErrorMessage": "POST an event"]))
        }
        guard name == settings.functionName else { return exchange.respond(ComputeOutcome.functionNotFound(name)) }
        let isAsynchronous = Field.Name("x-fc-invocation-type").flatMap { request.fields[$0] } == "Async"
        let event = ComputeRequest(
            Request(.post, path: "/invoke", body: request.body), settings, control: "/invoke", isRecorded: isRecorded)
        if isAsynchronous { exchange.respond(ComputeOutcome.identified(Response(.accepted), event.id)) }
        relay(event) { if !isAsynchronous { exchange.respond($0) } }
    }

    // MARK: Requests

    /// How often a request for which an instance did nothing is handed to another.
    private static let mostAttempts = 3

    /// Passes a request on; `respond` is called once, from any thread.
    private func relay(
        _ request: ComputeRequest, attempt: Int = 1, respond: @escaping @Sendable (Response) -> Void
    ) {
        guard let instance = instance() else {
            return respond(ComputeOutcome.identified(ComputeOutcome.throttled, request.id))
        }
        relays.run { client in self.relay(request, to: instance, attempt, by: client, respond: respond) }
    }

    private func relay(
        _ request: ComputeRequest, to instance: ComputeInstance, _ attempt: Int, by client: any HTTP.Client,
        respond: @escaping @Sendable (Response) -> Void
    ) {
        let start = clock.now()
        if attempt == 1 { settings.output("FC Invoke Start RequestId: \(request.id)") }
        let outcome = ComputeRelay(settings: settings, clock: clock).perform(request, on: instance, by: client)
        let end = clock.now()
        if let busy = instance.release(now: end) { bill(busy, of: instance) }
        let (response, status): (Response, String)
        switch outcome {
        case .elsewhere where attempt < ComputePlatform.mostAttempts:
            return relay(request, attempt: attempt + 1, respond: respond)
        case .elsewhere(let answer, let word), .answered(let answer, let word): (response, status) = (answer, word)
        }
        // Who waited for its start was not worked on meanwhile.
        let (listenedAt, initDuration) = instance.takeInitDuration()
        let begin = max(start.steady, listenedAt?.steady ?? .zero)
        let entry = Account.Entry(
            id: request.id, instance: instance.number, status: status, duration: end.steady - begin,
            initDuration: initDuration, memoryMegabytes: settings.memoryMegabytes,
            peakKilobytes: instance.peakKilobytes,
            at: start.wall)
        let priced = state.withLock { state in
            let priced = state.account.priced(entry)
            state.account.add(priced)
            return priced
        }
        // First, so that a record has the calls of one caller in their order.
        if request.isRecorded {
            settings.recorder?.record(request.recording(response, status: status, settings, at: start.wall))
        }
        respond(ComputeOutcome.identified(response, request.id))
        settings.output(priced.endOfInvocation)
    }

    /// The platform bills the time in which an instance has at least one request, however many they are, and that of a hook.
    private func bill(_ busy: Duration, of instance: ComputeInstance) {
        let billed = busy.begunMilliseconds
        state.withLock { $0.account.busyMilliseconds += billed }
        settings.output("FC Instance Idle \(settings.functionName)/\(instance.number)\tBilled Duration: \(billed) ms")
    }

    // MARK: Instances

    /// An instance with a free place, or one that is started for it; nil where there is none to be had.
    private func instance() -> ComputeInstance? {
        let now = clock.now()
        let (instance, isNew) = state.withLock { state -> (ComputeInstance?, Bool) in
            if state.isStopping { return (nil, false) }
            state.instances.removeAll { $0.state == .gone }
            for instance in state.instances { instance.leaveIfStale(now: now) }
            if let free = state.instances.first(where: { $0.take(limit: instanceConcurrency, now: now) }) {
                return (free, false)
            }
            guard state.instances.count(where: \.takesRequests) < settings.concurrency else { return (nil, false) }
            let instance = ComputeInstance(number: state.nextNumber, settings: settings, clock: clock)
            _ = instance.take(limit: instanceConcurrency, now: now)
            state.nextNumber += 1
            state.account.instancesStarted += 1
            state.instances.append(instance)
            return (instance, true)
        }
        if let instance, isNew {
            BackgroundThread.start { self.run(instance) }
            if settings.healthCheck != nil {
                BackgroundThread.start { ComputeHealth(settings: self.settings).watch(instance, by: self.makeClient()) }
            }
        }
        return instance
    }

    private func run(_ instance: ComputeInstance) {
        instance.run {
            let start = clock.now()
            ComputeHooks(settings: settings).preStop(instance, by: makeClient())
            if settings.preStopLimit != nil { bill(clock.now().steady - start.steady, of: instance) }
        }
    }

    private func endIdleOnes() {
        while !state.withLock({ $0.isStopping }) {
            usleep(500_000)
            let now = clock.now()
            for instance in state.withLock({ $0.instances }) { instance.leaveIfStale(now: now) }
        }
    }

    package func accountText() -> [UInt8] {
        state.withLock { state in
            let alive = state.instances.count { $0.state != .gone }
            return state.account.json(instancesAlive: alive, queued: 0).encoded
        }
    }

    /// Ends every instance; returns when their processes are gone, which have two seconds to end well after their hook.
    package func stop() {
        timers.stop()
        let instances = state.withLock { state in
            state.isStopping = true
            return state.instances
        }
        for instance in instances { instance.end() }
        while instances.contains(where: { $0.state != .gone }) { usleep(2_000) }
    }
}
