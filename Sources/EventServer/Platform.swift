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
    private let state: Lock<State>
    private let supervisorIsDone = Atomic<Bool>(false)
    private let wake = Wake()
    private let timers: TimerRunner

    private struct State: Sendable {
        var instances: [Instance] = []
        var queue: [Invocation] = []
        var account: Account
        var nextNumber = 1
        /// Instances that the supervisor still has to start.
        var toStart = 0
        var isStopping = false

        /// Instances that take events, or soon will.
        var usable: Int { toStart + instances.count { $0.state != .gone && !$0.isLeaving } }

        /// Events that instances will take which are only starting.
        func coming(_ now: Moment, loops: Int) -> Int {
            instances.reduce(toStart * loops) { $0 + $1.coming(now) }
        }
    }

    /// What is done after the lock is free: it writes to connections or ends processes.
    private typealias Afterwards = [() -> Void]

    package init(settings: PlatformSettings, clock: any Clock = SystemClock()) {
        self.settings = settings
        self.clock = clock
        state = Lock(State(account: Account(settings, billsBusyTime: false)))
        timers = TimerRunner(settings.timers, clock: clock)
        // Processes die with the thread that started them, so one thread that lives as long as the platform starts them all.
        BackgroundThread.start { self.supervise() }
        timers.start { [weak self] timer, due in self?.run(timer, due: due) }
    }

    // MARK: Events in

    /// Takes one event; `completion` is called once, from any thread.
    ///
    /// - Parameter isRecorded: false for what did not come from outside.
    func invoke(
        _ event: [UInt8], id: String, isRecorded: Bool, completion: @escaping @Sendable (InvocationResult) -> Void
    ) {
        let invocation = Invocation(
            id: id, event: event, cameAt: clock.now(),
            completion: isRecorded ? recording(event, id: id, completion) : completion)
        let after = state.withLock { state -> Afterwards in
            if state.isStopping {
                return [{ invocation.complete(.platformError(.init(kind: .stopped, detail: "stopping"))) }]
            }
            let now = invocation.cameAt
            var after = replaceOutdated(&state, now: now)
            // The one that was used last is the warmest.
            if let free = state.instances.last(where: \.takesEvents) { return after + start(invocation, on: free) }
            let hasPlace =
                state.usable < settings.concurrency || state.queue.count < state.coming(now, loops: settings.loops)
            if !hasPlace, settings.throttle || state.queue.count >= settings.queue {
                let kind: PlatformError.Kind = settings.isManaged ? .unavailable : .throttled
                let error = PlatformError(kind: kind, detail: "every instance is busy")
                return after + [{ invocation.complete(.platformError(error)) }]
            }
            state.queue.append(invocation)
            after += grow(&state, now: now)
            return after
        }
        after.forEach { $0() }
    }

    /// Starts an instance where those that are starting leave events waiting.
    private func grow(_ state: inout State, now: Moment) -> Afterwards {
        guard !state.isStopping, state.coming(now, loops: settings.loops) < state.queue.count,
            state.usable < settings.concurrency
        else { return [] }
        state.toStart += 1
        return [{ self.wake.signal() }]
    }

    private func recording(
        _ event: [UInt8], id: String, _ completion: @escaping @Sendable (InvocationResult) -> Void
    ) -> @Sendable (InvocationResult) -> Void {
        guard let recorder = settings.recorder else { return completion }
        let at = clock.now().wall
        return { [name = settings.functionName] result in
            // First, so that a record has the calls of one caller in their order.
            recorder.record(event: event, id: id, function: name, at: at, result)
            completion(result)
        }
    }

    /// The schedule calls asynchronously: what the function answers goes nowhere.
    private func run(_ timer: TimerTrigger, due: Timestamp) {
        let id = RequestID.next()
        settings.output("timer \(timer.name): RequestId: \(id)")
        invoke(TimerEvent.bytes(for: timer, due: due, id: id), id: id, isRecorded: false) { _ in }
    }

    private func start(_ invocation: Invocation, on instance: Instance) -> Afterwards {
        let now = clock.now()
        invocation.startedAt = now
        let deadline = now + settings.timeout
        invocation.deadline = deadline
        invocation.initDuration = instance.initDuration
        instance.initDuration = nil
        let question = instance.hold(invocation)
        if settings.freezes { instance.process?.thaw() }
        let response = RuntimeAPI.event(invocation, deadline: deadline.wall, functionName: settings.functionName)
        // For a first event that ends it.
        let unseen = invocation.initDuration == nil ? nil : instance.process
        return [
            {
                unseen?.notePeak()
                question.respond(response)
            }
        ]
    }

    /// Hands the instance what waits, as much as it takes.
    private func handOut(_ state: inout State, to instance: Instance) -> Afterwards {
        var after: Afterwards = []
        while instance.takesEvents, !state.queue.isEmpty {
            after += start(state.queue.removeFirst(), on: instance)
        }
        return after
    }

    /// Between its events an instance gets no CPU.
    private func freezeIfIdle(_ instance: Instance) {
        if settings.freezes, instance.isIdle { instance.process?.freeze() }
    }

    /// Ends the idle instances whose program has changed; busy ones come by when they ask for their next event.
    private func replaceOutdated(_ state: inout State, now: Moment) -> Afterwards {
        var after: Afterwards = []
        for instance in state.instances where instance.state == .serving && !instance.questions.isEmpty {
            instance.leaveIfOutdated()
            if instance.canLeave { after += end(instance, now: now) }
        }
        return after
    }

    // MARK: What instances say

    /// The instance asks for an event; the exchange is parked until there is one.
    func next(_ instance: Instance, _ exchange: Exchange) {
        let after = state.withLock { state -> Afterwards in
            var after: Afterwards = []
            let now = clock.now()
            if instance.state == .gone { return [{ exchange.respond(RuntimeAPI.gone) }] }
            if !settings.isManaged {
                guard instance.questions.isEmpty, instance.held.allSatisfy(\.isAnswered) else {
                    return [{ exchange.respond(RuntimeAPI.invalidState) }]
                }
                for invocation in instance.held {
                    instance.release(invocation, now: now)
                    after.append(report(invocation, on: instance, status: invocation.status, now: now))
                }
            }
            instance.ask(exchange, now: now)
            after += replaceOutdated(&state, now: now)
            after += handOut(&state, to: instance)
            after += grow(&state, now: now)
            freezeIfIdle(instance)
            return after
        }
        after.forEach { $0() }
    }

    /// The instance answers an event, or reports that it could not.
    func answer(_ instance: Instance, id: String, _ result: InvocationResult) -> Response {
        let (response, after) = state.withLock { state -> (Response, Afterwards) in
            guard let invocation = instance.held.first(where: { $0.id == id }) else {
                return (instance.isLate(id, now: clock.now()) ? RuntimeAPI.late : RuntimeAPI.invalidRequestID, [])
            }
            // What the platform is ending has had its chance.
            if invocation.isAnswered || instance.ending != nil { return (RuntimeAPI.invalidState, []) }
            invocation.isAnswered = true
            if case .functionError = result { invocation.status = "error" }
            var after: Afterwards = []
            var response = RuntimeAPI.accepted
            if case .response(let bytes) = result, bytes.count > PlatformSettings.largestPayload {
                let error = PlatformError(
                    kind: .responseTooLarge,
                    detail: "Response payload size exceeded maximum allowed payload size (6291556 bytes).")
                response = RuntimeAPI.tooLarge
                after.append { invocation.complete(.platformError(error)) }
            } else {
                after.append { invocation.complete(result) }
            }
            if settings.isManaged {
                // Which loop asks next is not known, so an event is over with its answer.
                let now = clock.now()
                instance.release(invocation, now: now)
                after.append(report(invocation, on: instance, status: invocation.status, now: now))
                after += handOut(&state, to: instance)
            }
            return (response, after)
        }
        after.forEach { $0() }
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
                        number: state.nextNumber, bootstrap: settings.bootstrap, loops: settings.loops,
                        startedAt: clock.now())
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
            if instance.isStarting, instance.startedAt.elapsed(to: now) > settings.initTimeout {
                instance.ending = PlatformError(
                    kind: .initFailed, detail: "the init phase took longer than \(settings.initTimeout.inSeconds) s")
                after += kill(instance)
            }
            for invocation in instance.held where invocation.deadline.map({ $0.steady < now.steady }) ?? false {
                after += overrun(invocation, on: instance, now: now)
            }
            let isUnused = instance.isIdle && instance.idleSince.elapsed(to: now) > settings.idleLimit
            if isUnused || state.isStopping { after += end(instance, now: now) }
            if let time = instance.killedAt, time.steady < now.steady {
                instance.killedAt = nil
                after += kill(instance)
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

    /// An event's time is over: the process is killed, but for a managed instance, which goes on with its other events.
    private func overrun(_ invocation: Invocation, on instance: Instance, now: Moment) -> Afterwards {
        let words = "RequestId: \(invocation.id) Error: Task timed out after \(settings.timeout.inSeconds) seconds"
        var error = PlatformError(kind: .timeout, detail: words)
        guard settings.isManaged else {
            if instance.ending != nil { return [] }
            instance.ending = error
            return kill(instance)
        }
        instance.overrun(invocation, now: now)
        error.log = instance.process?.lastLines ?? []
        return [
            report(invocation, on: instance, status: "timeout", now: now),
            { [error] in invocation.complete(.platformError(error)) },
        ]
    }

    /// Gives the instance no more events and ends its process; a managed one is asked first.
    private func end(_ instance: Instance, now: Moment) -> Afterwards {
        // One that has only just been started is noted in a moment.
        guard instance.state != .gone, let process = instance.process else { return [] }
        instance.state = .gone
        guard settings.isManaged else { return [{ process.kill() }] }
        instance.killedAt = now + Platform.shutdownTime
        return [{ process.terminate() }]
    }

    /// What a managed instance has to end well.
    private static let shutdownTime = Duration.seconds(2)

    private func kill(_ instance: Instance) -> Afterwards {
        guard let process = instance.process else { return [] }
        return [{ process.kill() }]
    }

    private func launch(_ instance: Instance) {
        do {
            let api = try RuntimeAPI.serve(instance, platform: self)
            state.withLock { _ in instance.api = api }
            let environment = FunctionEnvironment.variables(settings, port: api.port, number: instance.number)
            _ = try FunctionProcess.start(
                settings.bootstrap, environment: environment, output: settings.output,
                began: { self.began(instance, $0) }, ended: { code in self.ended(instance, code: code) })
        } catch {
            settings.output("event-server: \(error)")
            state.withLock { _ in instance.initError = "\(error)" }
            ended(instance, code: -1)
        }
    }

    /// The process is noted; it may have asked for its first event already.
    private func began(_ instance: Instance, _ process: FunctionProcess) {
        let after = state.withLock { state -> Afterwards in
            instance.process = process
            let after = handOut(&state, to: instance)
            freezeIfIdle(instance)
            return after
        }
        after.forEach { $0() }
    }

    /// The process is gone: whoever waited for it is answered at once.
    private func ended(_ instance: Instance, code: Int32) {
        let (api, after) = state.withLock { state -> (Server?, Afterwards) in
            let now = clock.now()
            let lines = instance.process?.lastLines ?? []
            var after: Afterwards = []
            for invocation in instance.held {
                var error =
                    instance.ending
                    ?? PlatformError(
                        kind: .crash, detail: "RequestId: \(invocation.id) Error: \(PlatformError.exit(code))")
                error.log = lines
                let status = error.kind == .timeout ? "timeout" : "error"
                after.append(report(invocation, on: instance, status: status, now: now))
                if !invocation.isAnswered { after.append { [error] in invocation.complete(.platformError(error)) } }
            }
            if instance.isStarting {
                // The events that wanted this instance learn why there is none; the others get their own try.
                var error =
                    instance.ending
                    ?? PlatformError(
                        kind: .initFailed, detail: instance.initError ?? "the process ended with \(code) during init")
                error.log = lines
                for invocation in state.queue.prefix(settings.loops) {
                    after.append { [error] in invocation.complete(.platformError(error)) }
                }
                state.queue.removeFirst(min(settings.loops, state.queue.count))
            }
            for question in instance.questions { after.append { question.abort(reset: false) } }
            instance.state = .gone
            state.instances.removeAll { $0 === instance }
            after += grow(&state, now: now)
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
                memoryMegabytes: settings.memoryMegabytes, peakKilobytes: process?.peakKilobytes ?? 0, at: now.wall,
                isTimeBilled: !settings.isManaged)
            let priced = self.state.withLock { state in
                let priced = state.account.priced(entry)
                state.account.add(priced)
                return priced
            }
            settings.output(priced.report)
        }
    }

    func accountText() -> [UInt8] {
        state.withLock { state in
            state.account.json(instancesAlive: state.instances.count, queued: state.queue.count)
        }.encoded
    }

    /// Takes no more events, ends every process and returns when all are gone.
    package func stop() {
        timers.stop()
        let queue = state.withLock { state -> [Invocation] in
            state.isStopping = true
            state.toStart = 0
            defer { state.queue = [] }
            return state.queue
        }
        for invocation in queue {
            invocation.complete(.platformError(.init(kind: .stopped, detail: "the platform is stopping")))
        }
        wake.signal()
        while !supervisorIsDone.load(ordering: .acquiring) { usleep(1_000) }
    }
}
