import Foundation
import Testing

/// The calls that Function Compute makes of an instance on its own account.
@Suite struct ComputeHookTests {
    private func serve(_ script: String, options: [String] = [], _ body: (ScriptedFunction) throws -> Void) throws {
        let end = try ScriptedFunction.run(script, on: .fc, options: options, body)
        #expect(end.status == 0)
        #expect(end.survivors.isEmpty)
    }

    /// Writes a line for each call, `call CONTROL METHOD PATH`, and what the platform's own fields say.
    private static let recorder = """
        marker = __file__ + ".called"
        def handle(request, control, body):
            names = ["x-fc-request-id", "x-fc-function-name", "x-fc-function-memory", "x-fc-region", "x-fc-account-id"]
            known = all(request.headers.get(name) for name in names)
            say("call", control, request.command, request.path, len(body), known)
            status = 200
            if control == "/initialize" and not os.path.exists(marker):
                open(marker, "w").close()
                status = int(os.environ.get("STATUS", "200"))
            request.answer(str(os.getpid()), status)
        """

    /// The calls so far, once there are so many: a line may come later than the answer.
    private func calls(_ function: ScriptedFunction, atLeast count: Int) -> [String] {
        _ = function.waitForLines(count, beginning: "call ")
        return function.lines(beginning: "call ").map(String.init)
    }

    /// What a request gets whose hook was called, and took too long: a machine may be so slow that it is not called in time.
    private func getOverrun(_ function: ScriptedFunction) throws -> Answer? {
        for _ in 0..<20 {
            let answer = try function.get()
            if answer.text.contains("took longer than 300 ms") { return answer }
        }
        return nil
    }

    @Test func `initialize comes once before the first request, and pre-stop before the end`() throws {
        let options = ["--initialize-ms", "60000", "--pre-stop-ms", "60000"]
        try serve(Self.recorder, options: options) { function in
            #expect(function.getAtOnce(8, "/a").count { $0.status == 200 } == 8)
            // However late one of the eight was, their instance is ended after them: its program is written anew.
            try Program.write(ScriptedFunction.text(Self.recorder, .fc), to: function.bootstrap)
            let hasEnded = try function.waitForAccount("instances_alive", 0)
            #expect(hasEnded)
            let calls = calls(function, atLeast: 10)
            #expect(calls.first == "call /initialize POST /initialize 0 True")
            #expect(calls.dropFirst().dropLast() == Array(repeating: "call /http-invoke GET /a 0 True", count: 8)[...])
            #expect(calls.last == "call /pre-stop GET /pre-stop 0 True")
            #expect(function.process.output.contains("FC Initialize End RequestId: "))
            #expect(function.process.output.contains("FC PreStop End RequestId: "))
            // The next request starts another, which is initialized in its turn.
            #expect(try function.get("/b").status == 200)
            #expect(self.calls(function, atLeast: 12).suffix(2).first == "call /initialize POST /initialize 0 True")
        }
    }

    @Test func `the template says which hooks there are, and an option counts more`() throws {
        let template = """
            resources:
              a:
                component: fc3
                props: {functionName: scripted, instanceLifecycleConfig: {initializer: {timeout: 20}, preStop: {timeout: 20}}}
            """
        let file = try ScratchFolder.make() + "/s.yaml"
        try template.write(toFile: file, atomically: true, encoding: .utf8)
        let options = ["--template", file, "--idle-seconds", "1"]
        try serve(Self.recorder, options: options) { function in
            #expect(try function.get("/a").status == 200)
            let hasEnded = try function.waitForAccount("instances_alive", 0)
            #expect(hasEnded)
            #expect(
                calls(function, atLeast: 3).map { $0.split(separator: " ")[1] } == [
                    "/initialize", "/http-invoke", "/pre-stop",
                ])
        }
        let slow = "def handle(request, control, body): time.sleep(60)"
        try serve(slow, options: ["--template", file, "--initialize-ms", "300"]) { function in
            let failed = try getOverrun(function)
            #expect(failed != nil)
        }
    }

    @Test func `hooks that are not configured are not called`() throws {
        try serve(Self.recorder, options: ["--idle-seconds", "1"]) { function in
            let answer = try function.get("/a")
            #expect(answer.status == 200)
            #expect(try function.waitForAccount("instances_alive", 0))
            #expect(calls(function, atLeast: 1) == ["call /http-invoke GET /a 0 True"])
        }
    }

    /// 404 asks for another try, 500 for another instance.
    @Test(arguments: [("404", 1), ("400", 1), ("500", 2)])
    func `a failed initializer is a 200 with its own field, and the next request tries again`(
        status: String, instances: Int64
    ) throws {
        let options = ["--initialize-ms", "20000", "--env", "STATUS=" + status]
        try serve(Self.recorder, options: options) { function in
            let failed = try function.get("/a")
            #expect(failed.status == 200)
            #expect(failed["x-fc-error-type"] == "InitializationError")
            #expect(failed["x-fc-request-id"] != nil)
            #expect(failed.text.contains(status))
            let next = try function.get("/a")
            #expect(next.status == 200)
            #expect(next["x-fc-error-type"] == nil)
            #expect(calls(function, atLeast: 3).count { $0.hasPrefix("call /http-invoke") } == 1)
            #expect(try function.account()["instances_started"] == instances)
        }
    }

    @Test func `hooks that take too long are given up`() throws {
        let script = """
            def handle(request, control, body):
                if control != "/http-invoke" and os.environ["SLOW"] == control: time.sleep(60)
                request.answer(str(os.getpid()))
            """
        try serve(script, options: ["--initialize-ms", "300", "--env", "SLOW=/initialize"]) { function in
            let failed = try #require(try getOverrun(function))
            #expect(failed["x-fc-error-type"] == "InitializationError")
        }
        let limits = ["--initialize-ms", "60000", "--pre-stop-ms", "300"]
        try serve(script, options: limits + ["--env", "SLOW=/pre-stop", "--idle-seconds", "1"]) { function in
            let answer = try function.get()
            #expect(answer["x-fc-error-type"] == nil)
            #expect(try function.waitForAccount("instances_alive", 0))
            #expect(function.process.output.contains(/FC PreStop End RequestId: [0-9a-f-]+, Error:/))
        }
    }

    @Test func `when the platform stops, pre-stop comes while the last request is under way`() throws {
        let script = """
            asked, ended = threading.Event(), threading.Event()
            def handle(request, control, body):
                if control == "/pre-stop":
                    asked.set()
                    ended.wait(60)
                    return request.answer()
                say("begun")
                request.answer("finished" if asked.wait(60) else "alone")
                ended.set()
            """
        let end = try ScriptedFunction.run(script, on: .fc, options: ["--pre-stop-ms", "60000"]) { function in
            let answers = Answers()
            concurrently(2) { index in
                if index == 0 {
                    if let answer = try? function.get() { answers.append(answer) }
                } else if function.process.waitForLine(beginning: "begun", within: 60) {
                    kill(function.process.pid, SIGTERM)
                }
            }
            #expect(answers.all.map(\.text) == ["finished"])
        }
        #expect(end.status == 0)
        #expect(end.survivors.isEmpty)
    }
}
