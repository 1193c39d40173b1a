import Foundation
import JSON
import Testing

/// Lambda's managed instances: one process gets as many events at once as it has loops.
@Suite struct ManagedPlatformTests {
    /// As many loops as the platform names, each with a connection of its own; a test defines `work(id, headers, event)`.
    private static func loops(_ work: String) -> String {
        """
        import threading
        own = threading.local()
        def call(method, path, body=None, headers={}):
            if not hasattr(own, "connection"): own.connection = http.client.HTTPConnection(host)
            own.connection.request(method, "/2018-06-01/runtime" + path, body, headers)
            response = own.connection.getresponse()
            return response.status, dict((k.lower(), v) for k, v in response.getheaders()), response.read()
        \(work)
        def loop():
            while True: work(*next())
        for number in range(int(os.environ["AWS_LAMBDA_MAX_CONCURRENCY"])): threading.Thread(target=loop).start()
        """
    }

    private func serve(
        _ work: String, options: [String], _ body: (ScriptedFunction) throws -> Void
    ) throws {
        let end = try ScriptedFunction.run(Self.loops(work), options: ["--concurrency", "1"] + options, body)
        #expect(end.status == 0)
        #expect(end.survivors.isEmpty)
    }

    @Test func `a process gets as many events at once as it was told, and no more`() throws {
        let work = """
            guard = threading.Lock()
            together = threading.Barrier(3, timeout=60)
            active = most = 0
            def work(id, headers, event):
                global active, most
                with guard:
                    active += 1
                    most = max(most, active)
                together.wait()
                with guard: active -= 1
                respond(id, ok("%d %d %s" % (os.getpid(), most, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"])))
            """
        try serve(work, options: ["--instance-concurrency", "3", "--queue", "100"]) { function in
            let answers = function.getAtOnce(12)
            #expect(answers.count == 12)
            #expect(answers.allSatisfy { $0.status == 200 }, "\(answers.map(\.text))")
            // Process, most at once, kind of instance: the same for all.
            let texts = Set(answers.map { $0.text.split(separator: " ").dropFirst().joined(separator: " ") })
            #expect(texts == ["3 lambda-managed-instances"])
            #expect(Set(answers.map { $0.text.split(separator: " ").first }).count == 1)
            #expect(try function.waitForAccount("invocations", 12))
            let account = try function.account()
            #expect(account["instances_started"] == 1)
            #expect(account["cold_starts"] == 1)
            // The machine is paid, not the time.
            #expect(account["billed_ms"] == 0)
        }
    }

    /// `/held` waits until the test makes a file; the line `held` says that it is there.
    private static let holding = """
        marker = __file__ + ".go"
        def work(id, headers, event):
            if event["rawPath"] == "/held":
                say("held")
                while not os.path.exists(marker): time.sleep(0.01)
            if event["rawPath"] == "/exit": os._exit(3)
            answer = respond(id, ok(str(os.getpid())))
            if event["rawPath"] == "/held": say("answer", answer[0], json.loads(answer[2]).get("errorType"))
        """

    /// Waits until so many events are held.
    private func waitForHeld(_ count: Int, _ function: ScriptedFunction) -> Bool {
        function.waitForLines(count, beginning: "held")
    }

    /// Asks until a loop has taken it: the platform counts on one for a second after its last answer, and then on none.
    private func taken(_ send: () throws -> Answer) throws -> Answer {
        var answer = try send()
        try wait {
            if answer.status == 429 { answer = try send() }
            return answer.status != 429
        }
        return answer
    }

    private func getTaken(_ path: String, _ function: ScriptedFunction) throws -> Answer {
        try taken { try function.get(path) }
    }

    @Test func `when every loop is busy there is no queue`() throws {
        try serve(Self.holding, options: ["--instance-concurrency", "2", "--timeout-ms", "60000"]) { function in
            let answers = Answers()
            concurrently(3) { index in
                if index < 2 {
                    if let answer = try? getTaken("/held", function) { answers.append(answer) }
                    return
                }
                #expect(waitForHeld(2, function))
                let refused = try? function.get("/")
                #expect(refused?.status == 429)
                #expect(refused?.text.contains("\"Runtime.Unavailable\"") == true)
                function.letGo()
            }
            #expect(answers.all.map(\.status) == [200, 200])
            let next = try getTaken("/", function)
            #expect(next.status == 200)
        }
    }

    @Test func `a loop that has just answered is soon free again, so one caller after the other is never refused`()
        throws
    {
        let work = """
            def work(id, headers, event):
                respond(id, ok())
                time.sleep(0.05)
            """
        try serve(work, options: ["--instance-concurrency", "1"]) { function in
            // No earlier than this did the loop answer the last time.
            var begin = ContinuousClock.now
            for _ in 0..<20 {
                let next = ContinuousClock.now
                var status = try function.get("/").status
                // The platform counts on a loop for a second: one that is later than that on a busy machine is not there.
                if status == 429, ContinuousClock.now - begin > .seconds(1) {
                    status = try getTaken("/", function).status
                }
                #expect(status == 200)
                begin = next
            }
            #expect(try function.account()["instances_started"] == 1)
        }
    }

    @Test func `a late event is a 504 and its answer a 410, and the process goes on with the others`() throws {
        try withGrowingLimit([700, 6_000, 20_000]) { limit in
            try serve(Self.holding, options: ["--instance-concurrency", "2", "--timeout-ms", "\(limit)"]) { function in
                func get() throws -> String {
                    let answer = try getTaken("/", function)
                    if answer.status == 504 { throw TooLate() }
                    return answer.text
                }
                let first = try get()
                let late = try getTaken("/held", function)
                #expect(late.status == 504)
                #expect(try late.json()["error_type"] == "Sandbox.Timedout")
                // One loop still works on it, and the other answers.
                #expect(try get() == first)
                function.letGo()
                #expect(function.waitForLines(1, beginning: "answer 410 InvokeTimeout"))
                #expect(try get() == first)
                #expect(try function.waitForAccount("invocations", 4))
                #expect(try function.account()["failures"] == 1)
                #expect(function.waitForLines(4, beginning: "REPORT "))
                #expect(function.lines(beginning: "REPORT ").count { $0.hasSuffix("Status: timeout") } == 1)
            }
        }
    }

    @Test func `a crash is the outcome of every event that the process held`() throws {
        try serve(Self.holding, options: ["--instance-concurrency", "3", "--timeout-ms", "60000"]) { function in
            let first = try function.get("/")
            let answers = Answers()
            concurrently(3) { index in
                if index == 2 { #expect(waitForHeld(2, function)) }
                if let answer = try? getTaken(index < 2 ? "/held" : "/exit", function) { answers.append(answer) }
            }
            #expect(answers.all.map(\.status) == [502, 502, 502])
            let types = try answers.all.map { try $0.json()["error_type"] }
            #expect(types == ["Runtime.ExitError", "Runtime.ExitError", "Runtime.ExitError"])
            let ids = try Set(answers.all.map { try $0.json()["request_id"]?.string })
            #expect(ids.count == 3)
            #expect(try function.waitForAccount("failures", 3))
            let next = try getTaken("/", function)
            #expect(next.status == 200)
            #expect(next.text != first.text)
            #expect(try function.account()["instances_started"] == 2)
        }
    }

    @Test func `an instance is asked to end before it is killed`() throws {
        let work = """
            import signal
            def leave(*words):
                say("asked")
                os._exit(0)
            signal.signal(signal.SIGTERM, leave)
            def work(id, headers, event): respond(id, ok())
            """
        try serve(work, options: ["--instance-concurrency", "2", "--idle-seconds", "1"]) { function in
            // One that does not get to say so within two seconds is killed, however willing it is.
            let isAsked = try (0..<5).contains { _ in
                let answer = try getTaken("/", function)
                #expect(answer.status == 200)
                #expect(try function.waitForAccount("instances_alive", 0))
                return wait(within: .seconds(5)) { !function.lines(beginning: "asked").isEmpty }
            }
            #expect(isAsked)
        }
    }

    @Test func `a changed program replaces an instance when it has finished what it holds`() throws {
        try serve(Self.holding, options: ["--instance-concurrency", "2", "--timeout-ms", "60000"]) { function in
            let first = try function.get("/")
            let answers = Answers()
            concurrently(2) { index in
                if index == 0 {
                    if let answer = try? getTaken("/held", function) { answers.append(answer) }
                    return
                }
                #expect(waitForHeld(1, function))
                let script = Self.loops("def work(id, headers, event): respond(id, ok(\"new\"))")
                try? Program.write(ScriptedFunction.text(script, .lambda), to: function.bootstrap)
                // What is being written is left alone for 0.2 s.
                Thread.sleep(forTimeInterval: 0.3)
                #expect((try? getTaken("/", function))?.text == "new")
                function.letGo()
            }
            #expect(answers.all.map(\.text) == [first.text])
            #expect(try getTaken("/", function).text == "new")
            #expect(try function.waitForAccount("instances_alive", 1))
        }
    }

    @Test func `the real function takes events beside one that waits for its provider`() throws {
        let provider = try GatedProvider()
        defer { provider.stop() }
        let options = ["--instance-concurrency", "4", "--concurrency", "1", "--timeout-ms", "60000"]
        try LocalPlatform.run(environment: provider.environment, options: options) { platform in
            let realm = """
                {"id": "wx", "policy": {"timeout": 15}, "config": {"url": "\(provider.url)", "arguments": [
                    {"name": "appid", "place": "url", "value": "a"}],
                 "token_path": "access_token", "expires_in_path": "expires_in"}}
                """
            #expect(try taken { try OneShotHTTP.send("POST", platform.url + "/api/realm", json: realm) }.status == 200)
            let secret = #"{"realm": "wx", "key": "app", "key_1": "a"}"#
            #expect(
                try taken { try OneShotHTTP.send("POST", platform.url + "/api/secret", json: secret) }.status == 200)
            let order = Answers()
            provider.close()
            concurrently(2) { index in
                if index == 0 {
                    let token = try? taken { try OneShotHTTP.send("GET", platform.url + "/api/token?realm=wx&key=app") }
                    if let token { order.append(token) }
                } else {
                    #expect(wait { provider.calls == 1 })
                    for _ in 0..<2 {
                        let pong = try? taken { try OneShotHTTP.send("GET", platform.url + "/pong") }
                        if let pong { order.append(pong) }
                    }
                    provider.open()
                }
            }
            #expect(order.all.map(\.status) == [200, 200, 200])
            #expect(order.all.last?.text.contains("token") == true)
            let account = try OneShotHTTP.send("GET", platform.url + "/_event-server/invocations").json()
            #expect(account["totals"]?["instances_started"] == 1)
        }
    }

    @Test func `a managed instance is not frozen, and the option says so`() throws {
        let program = LocalPlatform.products.appending(path: "event-server").path()
        let ended = try Program.run(
            program,
            ["serve", "--function", "f", "--bootstrap", "/none", "--instance-concurrency", "2", "--freeze"])
        #expect(ended.status == 2)
        #expect(
            ended.errors == "event-server: --freeze: an instance that gets several events at once is never frozen\n")
    }
}
