internal import Clocks
internal import Glibc
internal import HTTP
internal import Locks

/// One execution environment of Function Compute: a process that serves HTTP on a port of its own.
final class ComputeInstance: Sendable {
    enum State: Sendable {
        case starting, ready
        /// It gets no more requests, and is ended when it has none.
        case leaving
        /// Its process has ended.
        case gone
    }

    fileprivate struct Load: Sendable {
        var state = State.starting
        /// When it first listened on its port.
        var listenedAt: Moment?
        /// How long that took; told once, to the request that it was started for.
        var initDuration: Duration?
        /// Requests that it works on, or will when it is ready.
        var requests = 0
        var idleSince: Moment
        /// Since when it has had at least one request.
        var busySince: Moment?
        var process: FunctionProcess?
        var program: ProgramFiles
        var isFrozen = false
        /// False while it fails its health checks: it gets no requests.
        var isHealthy = true
        /// It is ended with its requests, not after them.
        var endsAtOnce = false
        /// A request has overrun its time, so it is not asked to end well.
        var isStuck = false
        /// The exit code of its process, or the error number where there was none.
        var exitCode: Int32?
    }

    let number: Int
    let port = LoopbackPort.free()
    /// The call of `/initialize`.
    let initialization = FirstCall()
    /// The first health check.
    let firstCheck = FirstCall()
    private let settings: PlatformSettings
    private let clock: any Clock
    private let startedAt: Moment
    private let load: Lock<Load>
    private let exited = Wake()
    private let wake = Wake()

    init(number: Int, settings: PlatformSettings, clock: any Clock) {
        self.number = number
        self.settings = settings
        self.clock = clock
        let now = clock.now()
        startedAt = now
        load = Lock(Load(idleSince: now, program: ProgramFiles(settings.bootstrap)))
    }

    // MARK: Its requests

    /// Takes a place on it; false where it has none, or takes no more requests.
    func take(limit: Int, now: Moment) -> Bool {
        load.withLock { load in
            guard load.takesRequests, load.requests < limit else { return false }
            load.requests += 1
            if load.busySince == nil { load.busySince = now }
            if load.isFrozen {
                load.process?.thaw()
                load.isFrozen = false
            }
            return true
        }
    }

    /// Frees a request's place; with the last of them it answers the time in which it had requests.
    func release(now: Moment) -> Duration? {
        defer { if state == .leaving { wake.signal() } }
        return load.withLock { load in
            load.requests -= 1
            load.idleSince = now
            guard load.requests == 0, let since = load.busySince else { return nil }
            load.busySince = nil
            if settings.freezes, load.state == .ready {
                load.process?.freeze()
                load.isFrozen = true
            }
            return now.steady - since.steady
        }
    }

    /// Waits until it listens; false where it does not in time, or never will.
    ///
    /// One that has ended since refuses the connection, so that another gets the request.
    func waitUntilListening(_ clock: any Clock) -> Bool {
        let deadline = clock.now() + settings.initTimeout
        while true {
            let (state, hasListened) = load.withLock { ($0.state, $0.listenedAt != nil) }
            if hasListened || state == .gone { return hasListened }
            if clock.now().timeLeft(until: deadline) <= .zero { return false }
            usleep(1_000)
        }
    }

    /// When it first listened, and how long that took where nobody was told yet.
    func takeInitDuration() -> (listenedAt: Moment?, initDuration: Duration?) {
        load.withLock { load in
            defer { load.initDuration = nil }
            return (load.listenedAt, load.initDuration)
        }
    }

    var state: State { load.withLock { $0.state } }
    var takesRequests: Bool { load.withLock { $0.takesRequests } }
    var isFrozen: Bool { load.withLock { $0.isFrozen } }
    var isHealthy: Bool {
        get { load.withLock { $0.isHealthy } }
        set { load.withLock { $0.isHealthy = newValue } }
    }
    /// The largest resident set, in kilobytes, as far as it is known.
    var peakKilobytes: Int64 { load.withLock { $0.process }?.peakKilobytes ?? 0 }
    var lastLines: [String] { load.withLock { $0.process }?.lastLines ?? [] }
    var exitCode: Int32? { load.withLock { $0.exitCode } }

    // MARK: Its end

    /// Hands it no more requests; those that it has may end.
    func leave() {
        change { if $0.state != .gone { $0.state = .leaving } }
    }

    /// Takes back `leave()`, unless its process has ended.
    func stay() {
        change { if $0.state == .leaving, $0.exitCode == nil, !$0.endsAtOnce { $0.state = .ready } }
    }

    /// Ends it by force when its other requests have ended: one has overrun its time.
    func abandon() {
        change { load in
            load.isStuck = true
            if load.state != .gone { load.state = .leaving }
        }
    }

    /// Ends it with the requests that it has.
    func end() {
        change { load in
            load.endsAtOnce = true
            if load.state != .gone { load.state = .leaving }
        }
    }

    /// Ends it where it has had nothing to do for so long, or its program is not what it was started from.
    func leaveIfStale(now: Moment) {
        change { load in
            guard load.state == .ready else { return }
            if let process = load.process { load.program.add(runningAs: process.id) }
            let isIdle = load.requests == 0 && load.idleSince.elapsed(to: now) > settings.idleLimit
            if isIdle || load.program.haveChanged { load.state = .leaving }
        }
    }

    private func change(_ body: (inout Load) -> Void) {
        let isLeaving = load.withLock { load in
            body(&load)
            return load.state == .leaving
        }
        if isLeaving { wake.signal() }
    }

    /// Waits a moment for the process to end, which is known a little later than its connections break.
    func hasExited(within time: Duration) -> Bool {
        for _ in 0..<max(1, time.wholeMilliseconds) {
            if exitCode != nil || !LoopbackPort.isListening(port) { return true }
            usleep(1_000)
        }
        return false
    }

    // MARK: Its process

    /// Starts the process and returns when it has ended; on a thread of its own, with which the process would end.
    ///
    /// - Parameter preStop: called before it is asked to end, where it can still answer.
    func run(preStop: () -> Void) {
        defer { load.withLock { $0.state = .gone } }
        let environment = ComputeEnvironment.variables(settings, port: port, number: number)
        do throws(FunctionProcess.SpawnError) {
            let started = try FunctionProcess.start(
                settings.bootstrap, environment: environment, output: settings.output
            ) { code in
                self.load.withLock { $0.exitCode = code }
                self.exited.signal()
                self.wake.signal()
            }
            load.withLock { $0.process = started }
        } catch {
            settings.output("\(error)")
            load.withLock { $0.exitCode = error.number }
            return
        }
        waitForListener()
        while load.withLock({ $0.exitCode == nil && !$0.mayEnd }) { wake.wait(atMost: .milliseconds(500)) }
        endProcess(preStop: preStop)
    }

    /// Listening is the sign that it is ready.
    private func waitForListener() {
        for _ in 0..<max(1, settings.initTimeout.wholeMilliseconds / 2) {
            if load.withLock({ $0.exitCode != nil || $0.endsAtOnce }) { break }
            if LoopbackPort.isListening(port) {
                // For a first request that ends it.
                load.withLock { $0.process }?.notePeak()
                return load.withLock { load in
                    let now = clock.now()
                    load.listenedAt = now
                    load.initDuration = now.steady - startedAt.steady
                    if load.state == .starting { load.state = .ready }
                }
            }
            usleep(2_000)
        }
        leave()
    }

    private func endProcess(preStop: () -> Void) {
        let (process, isAlive, isAsked) = load.withLock { load in
            load.state = .leaving
            if load.isFrozen { load.process?.thaw() }
            load.isFrozen = false
            return (load.process, load.exitCode == nil, load.listenedAt != nil && !load.isStuck)
        }
        guard let process, isAlive else { return }
        if isAsked { preStop() }
        // Asked first, so that it can end well.
        if isAsked { process.terminate() }
        if !isAsked || !exited.wait(atMost: .seconds(2)) { process.kill() }
        while exitCode == nil { exited.wait(atMost: .milliseconds(500)) }
    }
}

extension ComputeInstance.Load {
    fileprivate var takesRequests: Bool { isHealthy && (state == .starting || state == .ready) }
    fileprivate var mayEnd: Bool { state == .leaving && (requests == 0 || endsAtOnce) }
}
