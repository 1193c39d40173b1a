package import Clocks
internal import Glibc
internal import HTTP
internal import HTTPServer
internal import JSON
internal import Locks
internal import Schedules
internal import Synchronization

/// The local platform: starts instances on demand, hands them one event at a time, and ends what is late, broken or idle.
package final class Platform: Sendable {
    let settings: PlatformSettings
    let clock: any Clock
    private let state = Lock(State())
    private let supervisorIsDone = Atomic<Bool>(false)
    private let wake = Wake()
    private let timers: TimerRunner

    private struct State: Sendable {
        var instances: [Instance] = []
        var queue: [Invocation] = []
        var account = Account()
        var nextNumber = 1
        /// Instances that the supervisor still has to start.
        var toStart = 0
        var isStopping = false

        /// Instances that take events, or soon will.
        var usable: Int {
            toStart
                + instances.count {
                    if case .gone = $0.state { false } else { true }
                }
        }

        var starting: Int { toStart + instances.count(where: \.isStarting) }
    }

    /// What is done after the lock is free: it writes to connections or ends processes.
    private typealias Afterwards = [() -> Void]

    package init(settings: PlatformSettings, clock: any Clock = SystemClock()) {
        self.settings = settings
        self.clock = clock
        timers = TimerRunner(settings.timers, clock: clock)
        // Processes die with the thread that started them, so one thread that lives as long as the platform starts them all.
        BackgroundThread.start { self.supervise() }
        timers.start { [weak self] timer, due in self?.run(timer, due: due) }
    }

    // MARK: Events in

    /// Takes one event; `completion` is called once, from any thread.
    func invoke(_ event: [UInt8], id: String, completion: @escaping @Sendable (InvocationResult) -> Void) {
        let invocation = Invocation(
            id: id, event: event, cameAt: clock.now(), completion: recording(event, id: id, completion))
        let after = state.withLock { state -> Afterwards in
            if state.isStopping {
                return [{ invocation.complete(.platformError(.init(kind: .stopped, detail: "stopping"))) }]
            }
            var after = replaceOutdated(&state)
            // The one that was used last is the warmest.
            if let idle = state.instances.last(where: \.isIdle) { return after + start(invocation, on: idle) }
            let canGrow = state.usable < settings.concurrency
            if !canGrow, settings.throttle || state.queue.count >= settings.queue {
                let error = PlatformError(kind: .throttled, detail: "every instance is busy")
                return after + [{ invocation.complete(.platformError(error)) }]
            }
            state.queue.append(invocation)
            guard canGrow, state.starting < state.queue.count else { return after }
            state.toStart += 1
            after.append { self.wake.signal() }
            return after
        }
        after.forEach { $0() }
    }

    private func recording(
        _ event: [UInt8], id: String, _ completion: @escaping @Sendable (InvocationResult) -> Void
    ) -> @Sendable (InvocationResult) -> Void {
        guard let recorder = settings.recorder else { return completion }
        let at = clock.now().wall
        return { [name = settings.functionName] result in
            completion(result)
            recorder.record(event: event, id: id, function: name, at: at, result)
        }
    }

    /// The schedule calls asynchronously: what the function answers goes nowhere.
    private func run(_ timer: TimerTrigger, due: Timestamp) {
        let id = RequestID.next()
        settings.output("timer \(timer.name): RequestId: \(id)")
        invoke(TimerEvent.bytes(for: timer, due: due, id: id), id: id) { _ in }
    }

    private func start(_ invocation: Invocation, on instance: Instance) -> Afterwards {
        guard case .idle(let exchange, _) = instance.state else { return [] }
        let now = clock.now()
        invocation.startedAt = now
        let deadline = now + settings.timeout
        invocation.deadline = deadline
        invocation.initDuration = instance.initDuration
        instance.initDuration = nil
        instance.state = .busy(invocation)
        if settings.freezes { instance.process?.thaw() }
        let response = RuntimeAPI.event(invocation, deadline: deadline.wall, functionName: settings.functionName)
        return [{ exchange.respond(response) }]
    }

    /// Between its events an instance gets no CPU.
    private func freezeIfIdle(_ instance: Instance) {
        if settings.freezes, instance.isIdle { instance.process?.freeze() }
    }

    /// Ends the idle instances whose program has changed; busy ones come by when they ask for their next event.
    private func replaceOutdated(_ state: inout State) -> Afterwards {
        var after: Afterwards = []
        for instance in state.instances {
            guard case .idle(let exchange, _) = instance.state, let process = instance.process, instance.isOutdated
            else { continue }
            instance.state = .gone
            after.append {
                process.kill()
                exchange.abort(reset: false)
            }
        }
        return after
    }

    // MARK: What instances say

    /// The instance asks for an event; the exchange is parked until there is one.
    func next(_ instance: Instance, _ exchange: Exchange) {
        let after = state.withLock { state -> Afterwards in
            var after: Afterwards = []
            let now = clock.now()
            switch instance.state {
            case .gone: return [{ exchange.respond(RuntimeAPI.gone) }]
            case .idle: return [{ exchange.respond(RuntimeAPI.invalidState) }]
            case .busy(let invocation) where !invocation.isAnswered:
                return [{ exchange.respond(RuntimeAPI.invalidState) }]
            case .busy(let invocation):
                after.append(report(invocation, on: instance, status: invocation.status, now: now))
            case .starting: instance.initDuration = now.steady - instance.startedAt.steady
            }
            instance.state = .idle(exchange, since: now)
            after += replaceOutdated(&state)
            if instance.isIdle, !state.queue.isEmpty { return after + start(state.queue.removeFirst(), on: instance) }
            if state.starting < state.queue.count, state.usable < settings.concurrency {
                state.toStart += 1
                after.append { self.wake.signal() }
            }
            freezeIfIdle(instance)
            return after
        }
        after.forEach { $0() }
    }

    /// The instance answers an event, or reports that it could not.
    func answer(_ instance: Instance, id: String, _ result: InvocationResult) -> Response {
        let (response, completion) = state.withLock { _ -> (Response, (() -> Void)?) in
            guard case .busy(let invocation) = instance.state, invocation.id == id else {
                return (RuntimeAPI.invalidRequestID, nil)
            }
            // What the platform is ending has had its chance.
            if invocation.isAnswered || instance.ending != nil { return (RuntimeAPI.invalidState, nil) }
            invocation.isAnswered = true
            if case .functionError = result { invocation.status = "error" }
            if case .response(let bytes) = result, bytes.count > PlatformSettings.largestPayload {
                let error = PlatformError(
                    kind: .responseTooLarge,
                    detail: "Response payload size exceeded maximum allowed payload size (6291556 bytes).")
                return (RuntimeAPI.tooLarge, { invocation.complete(.platformError(error)) })
            }
            return (RuntimeAPI.accepted, { invocation.complete(result) })
        }
        completion?()
        return response
    }

    func initFailed(_ instance: Instance, detail: String) -> Response {
        state.withLock { _ in
            guard instance.isStarting else { return RuntimeAPI.invalidState }
            instance.initError = detail
            return RuntimeAPI.accepted
        }
    }

    // MARK: Processes

    /// Starts what is wanted and ends what is late, until everything is gone.
    private func supervise() {
        while true {
            let (started, after, isDone) = state.withLock { state -> ([Instance], Afterwards, Bool) in
                var started: [Instance] = []
                while state.toStart > 0 {
                    state.toStart -= 1
                    let instance = Instance(
                        number: state.nextNumber, bootstrap: settings.bootstrap, startedAt: clock.now())
                    state.nextNumber += 1
                    state.account.instancesStarted += 1
                    state.instances.append(instance)
                    started.append(instance)
                }
                return (started, endWhatIsLate(&state), state.isStopping && state.instances.isEmpty)
            }
            for instance in started { launch(instance) }
            after.forEach { $0() }
            if isDone { break }
            wake.wait(atMost: Platform.lookAround)
        }
        supervisorIsDone.store(true, ordering: .releasing)
    }

    /// How late a deadline may be enforced.
    private static let lookAround = Duration.milliseconds(20)

    private func endWhatIsLate(_ state: inout State) -> Afterwards {
        let now = clock.now()
        var after: Afterwards = []
        for instance in state.instances {
            switch instance.state {
            case .starting where instance.startedAt.elapsed(to: now) > settings.initTimeout:
                instance.ending = PlatformError(kind: .initFailed, detail: "the init phase took longer than 10 s")
                after += end(instance)
            case .busy(let invocation):
                guard let deadline = invocation.deadline, deadline.steady < now.steady, instance.ending == nil else {
                    continue
                }
                let words = "Task timed out after \(settings.timeout.inSeconds) seconds"
                instance.ending = PlatformError(kind: .timeout, detail: "RequestId: \(invocation.id) Error: \(words)")
                if let process = instance.process { after.append { process.kill() } }
            case .idle(_, let since) where since.elapsed(to: now) > settings.idleLimit || state.isStopping:
                after += end(instance)
            case .starting where state.isStopping: after += end(instance)
            default: break
            }
        }
        while let first = state.queue.first, first.cameAt.elapsed(to: now) > settings.queueTimeout {
            state.queue.removeFirst()
            after.append {
                first.complete(.platformError(.init(kind: .queueTimeout, detail: "no instance was free in time")))
            }
        }
        return after
    }

    /// Ends the process; what follows is done when it has ended.
    private func end(_ instance: Instance) -> Afterwards {
        guard let process = instance.process else { return [] }
        return [{ process.kill() }]
    }

    private func launch(_ instance: Instance) {
        do {
            let api = try RuntimeAPI.serve(instance, platform: self)
            let environment = FunctionEnvironment.variables(settings, port: api.port, number: instance.number)
            let output = settings.output
            let process = try FunctionProcess.start(
                settings.bootstrap, environment: environment, output: output,
                ended: { code in self.ended(instance, code: code) })
            state.withLock { _ in
                instance.api = api
                instance.process = process
                // It may have asked for its first event already.
                freezeIfIdle(instance)
            }
        } catch {
            settings.output("event-server: \(error)")
            state.withLock { _ in instance.initError = "\(error)" }
            ended(instance, code: -1)
        }
    }

    /// The process is gone: whoever waited for it is answered at once.
    private func ended(_ instance: Instance, code: Int32) {
        let (api, after) = state.withLock { state -> (Server?, Afterwards) in
            let lines = instance.process?.lastLines ?? []
            var after: Afterwards = []
            switch instance.state {
            case .busy(let invocation):
                var error =
                    instance.ending
                    ?? PlatformError(
                        kind: .crash, detail: "RequestId: \(invocation.id) Error: \(PlatformError.exit(code))")
                error.log = lines
                let status = error.kind == .timeout ? "timeout" : "error"
                after.append(report(invocation, on: instance, status: status, now: clock.now()))
                if !invocation.isAnswered { after.append { [error] in invocation.complete(.platformError(error)) } }
            case .starting where !state.queue.isEmpty:
                // The event that wanted this instance learns why there is none; the others get their own try.
                let invocation = state.queue.removeFirst()
                var error =
                    instance.ending
                    ?? PlatformError(
                        kind: .initFailed, detail: instance.initError ?? "the process ended with \(code) during init")
                error.log = lines
                after.append { [error] in invocation.complete(.platformError(error)) }
            case .idle(let exchange, _): after.append { exchange.abort(reset: false) }
            case .starting, .gone: break
            }
            instance.state = .gone
            state.instances.removeAll { $0 === instance }
            if !state.isStopping, state.starting < state.queue.count, state.usable < settings.concurrency {
                state.toStart += 1
            }
            return (instance.api, after)
        }
        after.forEach { $0() }
        api?.stop()
    }

    // MARK: Account

    /// Enters the invocation in the account; outside the lock, since it reads a file and writes a line.
    private func report(_ invocation: Invocation, on instance: Instance, status: String, now: Moment) -> () -> Void {
        let duration = now.steady - (invocation.startedAt ?? now).steady
        let initDuration = invocation.initDuration
        let process = instance.process
        return { [settings] in
            let entry = Account.Entry(
                id: invocation.id, instance: instance.number, status: status, duration: duration,
                initDuration: initDuration,
                memoryMegabytes: settings.memoryMegabytes, peakKilobytes: process?.peakKilobytes ?? 0, at: now.wall)
            self.state.withLock { $0.account.add(entry) }
            settings.output(entry.report)
        }
    }

    func accountText() -> [UInt8] {
        state.withLock { state in
            state.account.json(
                instancesAlive: state.instances.count, queued: state.queue.count,
                memoryMegabytes: settings.memoryMegabytes)
        }.encoded
    }

    /// Takes no more events, ends every process and returns when all are gone.
    package func stop() {
        timers.stop()
        let after = state.withLock { state -> Afterwards in
            state.isStopping = true
            state.toStart = 0
            let queue = state.queue
            state.queue = []
            return queue.map { invocation in
                { invocation.complete(.platformError(.init(kind: .stopped, detail: "the platform is stopping"))) }
            } + state.instances.compactMap(\.process).map { process in { process.kill() } }
        }
        after.forEach { $0() }
        wake.signal()
        while !supervisorIsDone.load(ordering: .acquiring) { usleep(1_000) }
    }
}
