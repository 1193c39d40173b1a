import Clocks
import FunctionRuntime
import HTTP
import JSON
import Log
import Synchronization
import TestKit
import Testing

@Suite struct InvocationLoopTests {
    // MARK: A finite platform

    private final class Source: InvocationSource {
        struct Event {
            var id: String
            var text: String
            var deadline: Timestamp?
        }

        enum Outcome: Equatable {
            case response(String, JSON.Value)
            case error(String, type: String)
        }

        private var events: [Event]
        private var current: [UInt8] = []
        var outcomes: [Outcome] = []
        var deliveries: [Delivery] = []

        init(_ events: [Event]) { self.events = events }

        func next() throws(RuntimeAPIError) -> Invocation? {
            if events.isEmpty { return nil }
            let event = events.removeFirst()
            current = Array(event.text.utf8)
            return Invocation(id: event.id, deadline: event.deadline)
        }

        var event: ArraySlice<UInt8> { current[...] }

        func respond(to id: String, with body: [UInt8]) throws(RuntimeAPIError) -> Delivery {
            outcomes.append(.response(id, (try? JSON.Value(parsing: body)) ?? .null))
            return deliveries.isEmpty ? .accepted : deliveries.removeFirst()
        }

        func fail(_ id: String, with error: FunctionError) throws(RuntimeAPIError) -> Delivery {
            outcomes.append(.error(id, type: error.type))
            return .accepted
        }
    }

    private final class ScriptedHandler: Handler {
        let script: (Request, (any Sendable)?) -> Outcome
        var schedules: [Schedule] = []
        var scheduleStatus = Status.ok

        init(_ script: @escaping (Request, (any Sendable)?) -> Outcome) { self.script = script }

        func respond(to request: Request, resuming state: (any Sendable)?) -> Outcome { script(request, state) }

        func run(_ schedule: Schedule, deadline: Moment?) -> Response {
            schedules.append(schedule)
            return Response(scheduleStatus)
        }
    }

    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        var logger: Logger {
            Logger(level: .debug) { bytes in self.lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } }
        }
    }

    private let clock = ManualClock()
    private let lines = Lines()

    private func run(_ events: [String], _ handler: ScriptedHandler, deadline: Duration = .seconds(10)) throws -> Source
    {
        let source = Source(
            events.enumerated().map {
                Source.Event(id: "i\($0.offset)", text: $0.element, deadline: clock.now().wall + deadline)
            })
        return try run(source, handler)
    }

    private func run(_ source: Source, _ handler: ScriptedHandler) throws -> Source {
        let clock = clock
        let context = InvocationLoop<Source>.Context(
            logger: lines.logger, clock: clock, sleep: { clock.advance(by: $0) })
        var loop = InvocationLoop(source: source, handler: handler, context: context)
        try loop.run()
        return source
    }

    private var answering: ScriptedHandler {
        ScriptedHandler { request, _ in
            .respond(Response(.ok, json: ["path": .string(request.path)], notes: [(name: "route", value: "/r")]))
        }
    }

    // MARK: Outcomes

    @Test func `every event has one outcome and the loop goes on`() throws {
        let broken = Events.albMulti.replacing("aGVsbG8=", with: "!")
        let source = try run([Events.v2, "{", "{}", broken, #"{"job":7}"#, Events.v1], answering)
        #expect(source.outcomes.count == 6)
        guard case .response("i0", let first) = source.outcomes[0], case .response("i3", let bad) = source.outcomes[3],
            case .response("i5", _) = source.outcomes[5]
        else {
            Issue.record("\(source.outcomes)")
            return
        }
        #expect(first["statusCode"] == 200)
        #expect(source.outcomes[1] == .error("i1", type: "Runtime.BadEvent"))
        #expect(source.outcomes[2] == .error("i2", type: "Runtime.UnknownTrigger"))
        #expect(bad["statusCode"] == 400)
        #expect(source.outcomes[4] == .error("i4", type: "Runtime.BadEvent"))
    }

    @Test func `error types are of the form that the platform keeps`() {
        let types = [
            FunctionError.unknownTrigger, .badEvent(""), .eventTooLarge, .responseTooLarge,
            .scheduleFailed(status: 500),
            .badConfiguration(StartupError(variable: "X", message: "y")),
        ].map(\.type)
        for type in types { #expect(type.wholeMatch(of: /(Runtime|Function)\.[A-Z][a-zA-Z]+/) != nil) }
    }

    @Test func `a handler that waits is called again with its state`() throws {
        let handler = ScriptedHandler { _, state in
            let turn = state as? Int ?? 0
            return turn < 3 ? .wait(delay: .milliseconds(100), state: turn + 1) : .respond(Response(.ok, json: [1]))
        }
        let before = clock.now()
        let source = try run([Events.v2], handler)
        guard case .response(_, let answer) = source.outcomes.first else {
            Issue.record("no answer")
            return
        }
        #expect(answer["statusCode"] == 200)
        #expect(before.elapsed(to: clock.now()) == .milliseconds(300))
    }

    @Test func `whoever still waits at the deadline is answered before it`() throws {
        let handler = ScriptedHandler { _, _ in .wait(delay: .seconds(60), state: 1) }
        let before = clock.now()
        let source = try run([Events.v2], handler, deadline: .seconds(3))
        guard case .response(_, let answer) = source.outcomes.first else {
            Issue.record("no answer")
            return
        }
        #expect(answer["statusCode"] == 503)
        #expect(answer["headers"]?["retry-after"] == "1")
        #expect(before.elapsed(to: clock.now()) < .seconds(3))
    }

    @Test func `the deadline reaches the handler, a little before the platform's`() throws {
        var seen: Duration?
        let clock = clock
        let handler = ScriptedHandler { request, _ in
            seen = request.deadline.map { clock.now().timeLeft(until: $0) }
            return .respond(Response(.ok))
        }
        _ = try run([Events.v2], handler, deadline: .seconds(3))
        let left = try #require(seen)
        #expect(left < .seconds(3) && left > .seconds(2))
    }

    @Test func `a response over 6 MiB becomes an error that says so`() throws {
        let handler = ScriptedHandler { _, _ in .respond(Response(.ok, text: String(repeating: "a", count: 6 << 20))) }
        let source = try run([Events.v2, Events.alb], handler)
        for outcome in source.outcomes {
            guard case .response(_, let answer) = outcome else {
                Issue.record("\(outcome)")
                continue
            }
            #expect(answer["statusCode"] == 500)
            #expect(answer["body"]?.string?.contains("response-too-large") == true)
        }
    }

    @Test func `a response that the platform refuses for its size is reported as an error`() throws {
        let source = Source([Source.Event(id: "i", text: Events.v2, deadline: nil)])
        source.deliveries = [.refused(status: 413)]
        _ = try run(source, answering)
        #expect(source.outcomes.last == .error("i", type: "Function.ResponseSizeTooLarge"))
    }

    @Test func `a schedule runs its job, and one that fails is an error that the platform counts`() throws {
        let handler = answering
        _ = try run([Events.schedule, #"{"job":"refresh"}"#], handler)
        #expect(handler.schedules == [Schedule(job: nil, id: "5b6f"), Schedule(job: "refresh", id: "i1")])
        handler.scheduleStatus = .serviceUnavailable
        let source = try run([Events.schedule], handler)
        #expect(source.outcomes == [.error("i0", type: "Function.ScheduleFailed")])
    }

    // MARK: The log line

    @Test func `each invocation is one line that tells what became of it and no query`() throws {
        let clock = clock
        let handler = ScriptedHandler { _, _ in
            clock.advance(by: .microseconds(312))
            return .respond(
                Response(
                    .ok,
                    notes: [
                        (name: "route", value: "/api/token"), (name: "realm", value: "wx"),
                        (name: "outcome", value: "token"),
                        (name: "source", value: "database"),
                    ]))
        }
        let canary = Events.v2.replacing("realm=wx", with: "secret=canary")
        _ = try run([canary, canary], handler)
        #expect(lines.all.count == 2)
        let line = try JSON.Value(parsing: try #require(lines.all.first).utf8)
        #expect(line["event"] == "invocation")
        #expect(line["request_id"] == "i0")
        #expect(line["method"] == "PUT")
        for (name, value) in [("route", "/api/token"), ("realm", "wx"), ("outcome", "token"), ("source", "database")] {
            #expect(line[name] == .string(value))
        }
        #expect(line["status"] == 200)
        #expect(line["ms"]?.number?.text == "0.312")
        #expect(line["cold"] == true)
        #expect((line["ms_left"]?.number?.double ?? 0) > 9_000)
        #expect(try JSON.Value(parsing: lines.all[1].utf8)["cold"] == false)
        #expect(!lines.all.joined().contains("canary"))
    }

    // MARK: Bounds

    @Test func `a body of more than 1 MiB reaches no handler`() throws {
        let event = { (count: Int) in
            Events.v2.replacing(
                #""body":"{\"now_token\":\"t\"}""#, with: "\"body\":\"\(String(repeating: "a", count: count))\"")
        }
        var sizes: [Int] = []
        let handler = ScriptedHandler { request, _ in
            sizes.append(request.body.count)
            return .respond(Response(.ok))
        }
        let source = try run([event(Request.largestBody), event(Request.largestBody + 1)], handler)
        #expect(sizes == [Request.largestBody])
        guard case .response("i1", let refused) = source.outcomes[1] else {
            Issue.record("no response")
            return
        }
        #expect(refused["statusCode"] == 413)
        #expect(refused["body"]?.string?.contains("/problems/content-too-large") == true)
    }

    @Test func `whatever a browser may load forbids it everything`() throws {
        let kept = ScriptedHandler { request, _ in
            var response = Response(.ok, text: "<script>")
            if request.method == .put { response.fields[.cacheControl] = "private, max-age=5" }
            return .respond(response)
        }
        let notBase64 = Events.albMulti.replacing("aGVsbG8=", with: "!")
        let source = try run([Events.v2, Events.functionURL, notBase64], kept)
        for (index, cache) in ["private, max-age=5", "no-store", "no-store"].enumerated() {
            guard case .response(_, let answer) = source.outcomes[index] else {
                Issue.record("no response")
                continue
            }
            let single = answer["headers"]?.object
            let multi = answer["multiValueHeaders"]?.object
            let value = { (name: String) in single?[name]?.string ?? multi?[name]?.array?.first?.string }
            #expect(value("x-content-type-options") == "nosniff")
            #expect(value("content-security-policy") == "default-src 'none'; frame-ancestors 'none'")
            #expect(value("referrer-policy") == "no-referrer")
            #expect(value("cache-control") == cache)
        }
    }
}
