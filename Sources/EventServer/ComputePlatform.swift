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
        var account = Account()
        var isStopping = false
    }

    private let settings: PlatformSettings
    /// Requests that one instance gets at a time.
    private let instanceConcurrency: Int
    private let clock: any Clock
    private let state = Lock(State())
    private let relays: Relays
    private let timers: TimerRunner

    /// - Parameter makeClient: makes the client of one relaying thread.
    package init(
        settings: PlatformSettings, instanceConcurrency: Int, clock: any Clock = SystemClock(),
        makeClient: @escaping @Sendable () -> any HTTP.Client
    ) {
        self.settings = settings
        self.instanceConcurrency = instanceConcurrency
        self.clock = clock
        relays = Relays(makeClient: makeClient)
        timers = TimerRunner(settings.timers, clock: clock)
        BackgroundThread.start { self.endIdleOnes() }
        timers.start { [weak self] timer, due in self?.run(timer, due: due) }
    }

    package func handle(_ exchange: Exchange) {
        let request = exchange.request
        if request.path == "/_event-server/invocations" {
            var response = Response(.ok, body: accountText())
            response.fields[.contentType] = "application/json"
            return exchange.respond(response)
        }
        if request.path == FireRoute.path { return fire(exchange) }
        if let refusal = ComputeLimits.refusal(of: request) { return exchange.respond(refusal) }
        relay(ComputeRequest(request, settings, control: "/http-invoke")) { exchange.respond($0) }
    }

    // MARK: Timers

    /// A timer, now, and what the function says to it.
    private func fire(_ exchange: Exchange) {
        switch FireRoute.timer(exchange.request, of: settings, sender: .functionCompute) {
        case .refused(let response): exchange.respond(response)
        case .timer(let timer):
            relay(invocation(of: timer, due: clock.now().wall)) { exchange.respond($0) }
        }
    }

    /// The trigger calls asynchronously: what the function answers goes nowhere.
    private func run(_ timer: TimerTrigger, due: Timestamp) {
        let request = invocation(of: timer, due: due)
        settings.output("timer \(timer.name): RequestId: \(request.id)")
        relay(request) { _ in }
    }

    private func invocation(of timer: TimerTrigger, due: Timestamp) -> ComputeRequest {
        var fields = Fields()
        fields[.contentType] = "application/octet-stream"
        let event = TimerEvent.bytes(for: timer, due: due, id: "")
        return ComputeRequest(
            Request(.post, path: "/invoke", fields: fields, body: event), settings, control: "/invoke")
    }

    // MARK: Requests

    /// How often a request of which nothing was sent is handed to another instance.
    private static let mostAttempts = 3

    /// Passes a request on; `respond` is called once, from any thread.
    private func relay(
        _ request: ComputeRequest, attempt: Int = 1, respond: @escaping @Sendable (Response) -> Void
    ) {
        guard let instance = instance() else {
            return respond(ComputeLimits.problem(.tooManyRequests, "ResourceThrottled", "every instance is busy"))
        }
        relays.run { client in self.relay(request, to: instance, attempt, by: client, respond: respond) }
    }

    /// An instance with a free place, or one that is started for it; nil where there is none to be had.
    private func instance() -> ComputeInstance? {
        let now = clock.now()
        let limit = instanceConcurrency
        let (instance, isNew) = state.withLock { state -> (ComputeInstance?, Bool) in
            if state.isStopping { return (nil, false) }
            state.instances.removeAll { $0.load.withLock { $0.state } == .gone }
            for instance in state.instances {
                let isTaken = instance.load.withLock { load in
                    guard load.state == .starting || load.state == .ready, load.requests < limit else { return false }
                    load.requests += 1
                    if load.busySince == nil { load.busySince = now }
                    return true
                }
                if isTaken { return (instance, false) }
            }
            let usable = state.instances.count { $0.load.withLock { $0.state != .leaving && $0.state != .gone } }
            guard usable < settings.concurrency else { return (nil, false) }
            let instance = ComputeInstance(number: state.nextNumber, port: LoopbackPort.free(), now: now)
            instance.load.withLock { load in
                load.requests = 1
                load.busySince = now
            }
            state.nextNumber += 1
            state.account.instancesStarted += 1
            state.instances.append(instance)
            return (instance, true)
        }
        if let instance, isNew {
            let environment = ComputeEnvironment.variables(settings, port: instance.port, number: instance.number)
            BackgroundThread.start { [settings] in
                instance.run(settings.bootstrap, environment, output: settings.output)
            }
        }
        return instance
    }

    private func relay(
        _ request: ComputeRequest, to instance: ComputeInstance, _ attempt: Int, by client: any HTTP.Client,
        respond: @escaping @Sendable (Response) -> Void
    ) {
        let start = clock.now()
        if attempt == 1 { settings.output("FC Invoke Start RequestId: \(request.id)") }
        var response: Response
        var status = "ok"
        if waitUntilReady(instance) {
            let begun = clock.now()
            var limits = ClientLimits(total: settings.timeout, responseBytes: 32 << 20)
            limits.connect = .seconds(2)
            do throws(ClientError) {
                let answer = try client.send(
                    request.outgoing(to: instance.port), limits: limits, willSend: { true }, didSend: {})
                response = ComputeLimits.passed(answer)
                if answer.fields[ComputeLimits.statusField] == "404" { status = "error" }
            } catch {
                // Whether its process has ended is known a moment later: the connection tells it first.
                instance.leave()
                if case .notSent = error, attempt < ComputePlatform.mostAttempts {
                    release(instance, at: clock.now())
                    return relay(request, attempt: attempt + 1, respond: respond)
                }
                let isLate = begun.elapsed(to: clock.now()) >= settings.timeout
                status = isLate ? "timeout" : "crash"
                let words =
                    isLate
                    ? "Function time out after \(settings.timeout.wholeMilliseconds) ms"
                    : "Process exited unexpectedly before completing request"
                response = ComputeLimits.problem(.badGateway, isLate ? "FunctionTimeout" : "ProcessExited", words)
            }
        } else {
            status = "init"
            let lines = instance.lastLines.joined(separator: "\n")
            response = ComputeLimits.problem(.badGateway, "FunctionNotStarted", "the function does not start: \(lines)")
        }
        response.fields[ComputeLimits.requestIDField] = request.id
        let end = clock.now()
        respond(response)
        release(instance, at: end)
        let entry = Account.Entry(
            id: request.id, instance: instance.number, status: status, duration: end.steady - start.steady,
            initDuration: nil, memoryMegabytes: settings.memoryMegabytes, peakKilobytes: instance.peakKilobytes,
            at: start.wall)
        state.withLock { $0.account.add(entry) }
        settings.output(entry.endOfInvocation)
    }

    /// Frees the request's place on the instance.
    private func release(_ instance: ComputeInstance, at end: Moment) {
        // The platform bills the time in which an instance has at least one request, however many they are.
        let busy = instance.load.withLock { load -> Duration? in
            load.requests -= 1
            load.idleSince = end
            guard load.requests == 0, let since = load.busySince else { return nil }
            load.busySince = nil
            return end.steady - since.steady
        }
        guard let billed = busy?.begunMilliseconds else { return }
        state.withLock { $0.account.busyMilliseconds += billed }
        settings.output("FC Instance Idle \(settings.functionName)/\(instance.number)\tBilled Duration: \(billed) ms")
    }

    private func waitUntilReady(_ instance: ComputeInstance) -> Bool {
        let deadline = clock.now() + settings.initTimeout
        while true {
            let (state, hasStarted) = instance.load.withLock { ($0.state, $0.hasStarted) }
            switch state {
            // One that has ended since refuses the connection, and another gets the request.
            case .ready, .leaving, .gone: return hasStarted
            case .starting: if clock.now().timeLeft(until: deadline) <= .zero { return false }
            }
            usleep(1_000)
        }
    }

    // MARK: Instances

    private func endIdleOnes() {
        while !state.withLock({ $0.isStopping }) {
            usleep(500_000)
            let now = clock.now()
            for instance in state.withLock({ $0.instances }) {
                instance.load.withLock { load in
                    if load.requests == 0, load.idleSince.elapsed(to: now) > settings.idleLimit { load.state = .gone }
                }
            }
        }
    }

    package func accountText() -> [UInt8] {
        state.withLock { state in
            let alive = state.instances.count { $0.load.withLock { $0.state } != .gone }
            return state.account.json(
                instancesAlive: alive, queued: 0, memoryMegabytes: settings.memoryMegabytes
            ).encoded
        }
    }

    /// Ends every instance; returns when their processes are gone, which have two seconds to end well.
    package func stop() {
        timers.stop()
        let instances = state.withLock { state in
            state.isStopping = true
            return state.instances
        }
        for instance in instances { instance.end() }
        for _ in 0..<300 where instances.contains(where: { LoopbackPort.isListening($0.port) }) { usleep(10_000) }
    }
}
