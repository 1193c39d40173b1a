internal import CSystem
package import Clocks
internal import Glibc
package import HTTP
package import HTTPServer
internal import JSON
internal import Locks

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

    /// - Parameter makeClient: makes the client of one relaying thread.
    package init(
        settings: PlatformSettings, instanceConcurrency: Int, clock: any Clock = SystemClock(),
        makeClient: @escaping @Sendable () -> any HTTP.Client
    ) {
        self.settings = settings
        self.instanceConcurrency = instanceConcurrency
        self.clock = clock
        relays = Relays(makeClient: makeClient)
        BackgroundThread.start { self.endIdleOnes() }
    }

    package func handle(_ exchange: Exchange) {
        let request = exchange.request
        if request.path == "/_event-server/invocations" {
            var response = Response(.ok, body: accountText())
            response.fields[.contentType] = "application/json"
            return exchange.respond(response)
        }
        if request.path == "/_event-server/fire" { return fire(exchange) }
        if let refusal = ComputeLimits.refusal(of: request) { return exchange.respond(refusal) }
        relay(exchange, ComputeRequest(request, settings, control: "/http-invoke"))
    }

    /// The timer, now: as the platform sends it.
    private func fire(_ exchange: Exchange) {
        let payload =
            exchange.request.body.isEmpty
            ? #"{"job":"refresh"}"# : String(decoding: exchange.request.body, as: UTF8.self)
        let event: JSON.Value = [
            "triggerTime": .string(clock.now().wall.iso8601), "triggerName": "refresh", "payload": .string(payload),
        ]
        let request = Request(.post, path: "/invoke", body: event.encoded)
        relay(exchange, ComputeRequest(request, settings, control: "/invoke"))
    }

    // MARK: Requests

    /// How often a request of which nothing was sent is handed to another instance.
    private static let mostAttempts = 3

    private func relay(_ exchange: Exchange, _ request: ComputeRequest, attempt: Int = 1) {
        guard let instance = instance() else {
            return exchange.respond(
                ComputeLimits.problem(.tooManyRequests, "ResourceThrottled", "every instance is busy"))
        }
        relays.run { client in self.relay(exchange, request, to: instance, attempt, by: client) }
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
        _ exchange: Exchange, _ request: ComputeRequest, to instance: ComputeInstance, _ attempt: Int,
        by client: any HTTP.Client
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
                    return relay(exchange, request, attempt: attempt + 1)
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
        exchange.respond(response)
        settings.output("FC Invoke End RequestId: \(request.id)\(status == "ok" ? "" : ", Error: \(status)")")
        release(instance, at: end)
        let peak = instance.peakKilobytes
        state.withLock { state in
            state.account.add(
                Account.Entry(
                    id: request.id, instance: instance.number, status: status, duration: end.steady - start.steady,
                    initDuration: nil, memoryMegabytes: settings.memoryMegabytes, peakKilobytes: peak, at: start.wall))
        }
    }

    /// Frees the request's place on the instance.
    private func release(_ instance: ComputeInstance, at end: Moment) {
        // The platform bills the time in which an instance has at least one request, however many they are.
        let busy = instance.load.withLock { load -> Duration in
            load.requests -= 1
            load.idleSince = end
            guard load.requests == 0, let since = load.busySince else { return .zero }
            load.busySince = nil
            return end.steady - since.steady
        }
        state.withLock { $0.account.busy += busy }
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
        let instances = state.withLock { state in
            state.isStopping = true
            return state.instances
        }
        for instance in instances { instance.end() }
        for _ in 0..<300 where instances.contains(where: { LoopbackPort.isListening($0.port) }) { usleep(10_000) }
    }
}

/// A request as the platform hands it to the function.
private struct ComputeRequest: Sendable {
    let id = RequestID.next()
    private let request: Request
    private let fields: Fields

    init(_ request: Request, _ settings: PlatformSettings, control: String) {
        self.request = request
        var fields = Fields()
        for field in request.fields {
            // What only the platform may say, and what belongs to one connection.
            if field.name.lowercased.hasPrefix("x-fc-") || ComputeLimits.hopFields.contains(field.name.lowercased) {
                continue
            }
            fields.append(field.name, field.value)
        }
        for (name, value) in [
            ("x-fc-request-id", id), ("x-fc-control-path", control), ("x-fc-function-name", settings.functionName),
            ("x-fc-function-handler", settings.functionName),
            ("x-fc-function-memory", String(settings.memoryMegabytes)),
            ("x-fc-region", "cn-hangzhou"), ("x-fc-account-id", "123456789012"), ("x-fc-qualifier", "LATEST"),
            ("x-fc-version-id", "0"),
        ] {
            if let name = Field.Name(name) { fields.append(name, value) }
        }
        if let address = request.sourceAddress {
            fields[.forwardedFor] = (request.fields.values(.forwardedFor) + [address]).joined(separator: ", ")
        }
        self.fields = fields
    }

    func outgoing(to port: UInt16) -> ClientRequest {
        let query = request.query.isEmpty ? "" : "?" + request.query
        return ClientRequest(
            request.method, url: "http://127.0.0.1:\(port)\(request.path)\(query)", fields: fields, body: request.body)
    }
}

/// What Function Compute takes and gives (limits and fields of custom runtimes).
enum ComputeLimits {
    static let statusField = known("x-fc-status")
    static let requestIDField = known("x-fc-request-id")
    static let hopFields: Set<String> = [
        "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length", "expect",
        "proxy-authorization", "proxy-connection",
    ]
    private static let droppedFields: Set<String> = [
        "connection", "content-length", "date", "keep-alive", "server", "upgrade",
    ]
    private static let largestFields = 8 << 10
    private static let largestTarget = 4 << 10

    static func refusal(of request: Request) -> Response? {
        if size(request.fields) > largestFields {
            return problem(.badRequest, "InvalidArgument", "the header fields have more than 8 KB")
        }
        if request.path.utf8.count + request.query.utf8.count > largestTarget {
            return problem(.badRequest, "InvalidArgument", "path and query have more than 4 KB")
        }
        return nil
    }

    /// The function's answer as the caller gets it.
    static func passed(_ answer: ClientResponse) -> Response {
        if size(answer.fields) > largestFields {
            return problem(.badGateway, "BadResponse", "the header fields of the response have more than 8 KB")
        }
        var response = Response(answer.status, body: answer.body)
        for field in answer.fields {
            let name = field.name.lowercased
            if droppedFields.contains(name) || hopFields.contains(name) || name.hasPrefix("x-fc-") { continue }
            response.fields.append(field.name, field.value)
        }
        return response
    }

    static func problem(_ status: Status, _ code: String, _ message: String) -> Response {
        Response(status, json: ["ErrorCode": .string(code), "ErrorMessage": .string(message)])
    }

    private static func size(_ fields: Fields) -> Int {
        fields.reduce(0) { $0 + $1.name.lowercased.utf8.count + $1.value.utf8.count + 4 }
    }

    private static func known(_ name: String) -> Field.Name {
        guard let known = Field.Name(name) else { preconditionFailure("\(name) is no field name") }
        return known
    }
}

/// The environment of an instance, as Function Compute sets it for a custom runtime; nothing is inherited.
enum ComputeEnvironment {
    static func variables(_ settings: PlatformSettings, port: UInt16, number: Int) -> [(name: String, value: String)] {
        var variables: [(name: String, value: String)] = [
            ("FC_CUSTOM_LISTEN_PORT", String(port)), ("FC_FUNCTION_HANDLER", settings.functionName),
            ("FC_FUNCTION_NAME", settings.functionName), ("FC_FUNCTION_MEMORY_SIZE", String(settings.memoryMegabytes)),
            ("FC_FUNC_CODE_PATH", "/code"), ("FC_REGION", "cn-hangzhou"), ("FC_ACCOUNT_ID", "123456789012"),
            ("FC_INSTANCE_ID", "c-local-\(number)"), ("FC_FUNCTION_VERSION", "LATEST"), ("TZ", "UTC"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            // The platform tells nobody how long a request has: the templates set it beside the function's timeout.
            ("FUNCTION_TIMEOUT_MS", String(settings.timeout.wholeMilliseconds)),
        ]
        for (name, value) in settings.environment {
            variables.removeAll { $0.name == name }
            variables.append((name, value))
        }
        return variables
    }
}

/// Threads that each pass on one request at a time, as many as there are requests under way.
private final class Relays: Sendable {
    private typealias Work = @Sendable (any HTTP.Client) -> Void

    private struct State: Sendable {
        var work: [Work] = []
        var idle = 0
    }

    private let state = Lock(State())
    private let available = Semaphore()
    private let makeClient: @Sendable () -> any HTTP.Client

    init(makeClient: @escaping @Sendable () -> any HTTP.Client) {
        self.makeClient = makeClient
    }

    func run(_ work: @escaping @Sendable (any HTTP.Client) -> Void) {
        let needsThread = state.withLock { state in
            state.work.append(work)
            return state.work.count > state.idle
        }
        if needsThread { BackgroundThread.start { self.serve() } }
        available.signal()
    }

    /// A thread that had nothing to do for a while ends.
    private func serve() {
        let client = makeClient()
        while true {
            state.withLock { $0.idle += 1 }
            let isWanted = available.wait(atMost: .seconds(10))
            let work = state.withLock { state -> Work? in
                state.idle -= 1
                return state.work.isEmpty ? nil : state.work.removeFirst()
            }
            if let work {
                work(client)
            } else if !isWanted {
                return
            }
        }
    }
}

/// A counting semaphore.
@safe private final class Semaphore: Sendable {
    private nonisolated(unsafe) let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        unsafe semaphore = .allocate(capacity: 1)
        unsafe sem_init(semaphore, 0, 0)
    }

    func signal() {
        unsafe sem_post(semaphore)
    }

    /// False when the time is over.
    func wait(atMost time: Duration) -> Bool {
        var until = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &until)
        until.tv_sec += Int(time.components.seconds)
        return unsafe sem_timedwait(semaphore, &until) == 0
    }
}
