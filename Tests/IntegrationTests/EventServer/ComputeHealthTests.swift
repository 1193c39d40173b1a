import Foundation
import JSON
import Testing

/// `healthCheckConfig` of a template, carried out as Function Compute does.
@Suite struct ComputeHealthTests {
    /// Serves with a check of `/health` each second, which may take as long as the cloud allows.
    private func serve(
        _ script: String, _ more: String = ", timeoutSeconds: 3", options: [String] = [],
        _ body: (ScriptedFunction) throws -> Void
    ) throws {
        let template = """
            resources:
              a:
                component: fc3
                props:
                  functionName: scripted
                  customRuntimeConfig:
                    healthCheckConfig: {httpGetUrl: /health, periodSeconds: 1, failureThreshold: 2, successThreshold: 2\(more)}
            """
        let file = try ScratchFolder.make() + "/s.yaml"
        try template.write(toFile: file, atomically: true, encoding: .utf8)
        let end = try ScriptedFunction.run(script, on: .fc, options: ["--template", file] + options, body)
        #expect(end.status == 0)
        #expect(end.survivors.isEmpty)
    }

    private func calls(_ function: ScriptedFunction) -> [String] {
        function.lines(beginning: "call ").map(String.init)
    }

    /// The first answer of an instance that was well in time: one that a busy machine holds up is refused by its first check.
    private func getStarted(_ function: ScriptedFunction) throws -> (answer: Answer, refused: Int) {
        for refused in 0..<20 {
            let answer = try function.get("/a")
            if answer.status == 200 { return (answer, refused) }
            #expect(answer.text.contains("was not answered within"))
        }
        throw TooLate()
    }

    private static let recorder = """
        def handle(request, control, body):
            say("call", control, request.command, request.path)
            if request.path == "/health" and "SLOW" in os.environ: time.sleep(30)
            request.answer(str(os.getpid()), int(os.environ["STATUS"]) if request.path == "/health" else 200)
        """

    @Test(arguments: [200, 302, 399])
    func `an instance is asked before its first request, and then once each period`(status: Int) throws {
        try serve(Self.recorder, options: ["--env", "STATUS=\(status)"]) { function in
            let (_, refused) = try getStarted(function)
            #expect(function.getAtOnce(3, "/a").map(\.status) == [200, 200, 200])
            // A line may come later than the answer.
            #expect(function.waitForLines(7 + refused, beginning: "call "))
            let calls = calls(function)
            #expect(calls.first == "call None GET /health")
            #expect(calls.count { $0 == "call /http-invoke GET /a" } == 4)
            #expect(Set(calls) == ["call None GET /health", "call /http-invoke GET /a"])
            // What the platform asks is no invocation.
            let account = try function.account()
            #expect(account["invocations"] == Int64(4 + refused))
            #expect(!function.process.output.contains("/health answered"))
        }
    }

    @Test(arguments: [["--env", "STATUS=400"], ["--env", "STATUS=503"], ["--env", "STATUS=200", "--env", "SLOW=1"]])
    func `one that fails its first check has not started`(options: [String]) throws {
        try serve(Self.recorder, ", timeoutSeconds: 1", options: options) { function in
            let refused = try function.get("/a")
            #expect(refused.status == 502)
            #expect(try refused.json()["ErrorCode"] == "FunctionNotStarted")
            #expect(refused.text.contains("the first health check failed: GET /health"))
            // The next request starts another.
            let again = try function.get("/a")
            #expect(again.status == 502)
            #expect(try function.account()["instances_started"] == 2)
            #expect(!calls(function).contains { $0.hasSuffix("/a") })
        }
    }

    @Test func `one that is not well gets no requests until it is again`() throws {
        let script = """
            def handle(request, control, body):
                isIll = request.path == "/health" and os.path.exists(__file__ + "." + str(os.getpid()))
                request.answer(str(os.getpid()), 500 if isIll else 200)
            """
        try serve(script, options: ["--concurrency", "1"]) { function in
            let first = try getStarted(function).answer.text
            let marker = function.bootstrap + "." + first
            #expect(FileManager.default.createFile(atPath: marker, contents: nil))
            let name = "scripted/\(try #require(try function.account()["instances_started"]))"
            #expect(function.waitForLines(1, beginning: "FC Instance Unhealthy \(name): GET /health "))
            let other = try getStarted(function).answer
            #expect(other.text != first)
            try FileManager.default.removeItem(atPath: marker)
            #expect(function.waitForLines(1, beginning: "FC Instance Healthy \(name)"))
            let later = try function.get("/a")
            #expect(later.text == first)
        }
    }

    @Test func `one that is frozen is not asked`() throws {
        try serve(Self.recorder, ", timeoutSeconds: 1", options: ["--freeze", "--env", "STATUS=200"]) { function in
            let answer = try getStarted(function).answer
            #expect(FrozenProcess.waits(for: try #require(pid_t(answer.text))))
            // Two periods and two timeouts, after which one that was asked would be unhealthy.
            Thread.sleep(forTimeInterval: 4.5)
            #expect(!function.process.output.contains("Unhealthy"))
            #expect(try function.get("/a").text == answer.text)
        }
    }

    @Test func `a value that the cloud does not take is one line`() throws {
        let failure = #expect(throws: LocalPlatform.Failure.self) {
            try serve(Self.recorder, ", timeoutSeconds: 9") { _ in Issue.record("it has started") }
        }
        #expect(
            failure?.description.hasSuffix(
                "resources.a.props.customRuntimeConfig.healthCheckConfig.timeoutSeconds: 9 is no whole number from 1 to 3\n"
            )
                == true, "\(failure?.description ?? "")")
    }
}
