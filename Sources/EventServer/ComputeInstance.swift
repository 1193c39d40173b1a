internal import Clocks
internal import Glibc
internal import Locks

/// One execution environment of Function Compute: a process that serves HTTP on a port of its own.
final class ComputeInstance: Sendable {
    enum State: Sendable {
        case starting, ready
        /// It gets no more requests, and is ended when it has none.
        case leaving
        /// It is being ended, or has ended by itself.
        case gone
    }

    struct Load: Sendable {
        var state = State.starting
        /// It has listened on its port.
        var hasStarted = false
        /// Requests that it works on, or will when it is ready.
        var requests = 0
        var idleSince: Moment
        /// Since when it has had at least one request.
        var busySince: Moment?
    }

    let number: Int
    let port: UInt16
    let load: Lock<Load>
    private let process = Lock<FunctionProcess?>(nil)

    init(number: Int, port: UInt16, now: Moment) {
        self.number = number
        self.port = port
        load = Lock(Load(idleSince: now))
    }

    /// Starts the process and returns when it has ended; on a thread of its own, with which the process would end.
    func run(
        _ bootstrap: String, _ environment: [(name: String, value: String)],
        output: @escaping @Sendable (String) -> Void
    ) {
        let ended = Wake()
        do throws(FunctionProcess.SpawnError) {
            let started = try FunctionProcess.start(bootstrap, environment: environment, output: output) { _ in
                ended.signal()
            }
            process.withLock { $0 = started }
        } catch {
            output("\(error)")
            load.withLock { $0.state = .gone }
            return
        }
        // Listening is the sign that it is ready.
        for _ in 0..<5_000 where load.withLock({ $0.state }) == .starting {
            if LoopbackPort.isListening(port) {
                load.withLock { load in
                    load.hasStarted = true
                    if load.state == .starting { load.state = .ready }
                }
                break
            }
            if ended.wait(atMost: .milliseconds(2)) { break }
        }
        while load.withLock({ $0.state == .ready || $0.state == .leaving && $0.requests > 0 }) {
            if ended.wait(atMost: .milliseconds(500)) { break }
        }
        load.withLock { $0.state = .gone }
        // Asked first, so that it can end well.
        signal(SIGTERM)
        if !ended.wait(atMost: .seconds(2)) { signal(SIGKILL) }
        process.withLock { $0 }?.kill()
    }

    /// Hands it no more requests; those that it has may end.
    func leave() {
        load.withLock { if $0.state != .gone { $0.state = .leaving } }
    }

    func end() {
        load.withLock { $0.state = .gone }
    }

    func signal(_ number: Int32) {
        if let id = process.withLock({ $0?.id }) { kill(-id, number) }
    }

    var peakKilobytes: Int64 { process.withLock { $0 }?.peakKilobytes ?? 0 }
    var lastLines: [String] { process.withLock { $0 }?.lastLines ?? [] }
}
