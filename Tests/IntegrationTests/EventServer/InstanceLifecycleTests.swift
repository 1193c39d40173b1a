import Foundation
import Testing

/// What happens to instances between requests, on both clouds.
@Suite struct InstanceLifecycleTests {
    private func serve(
        _ cloud: ScriptedFunction.Cloud, _ options: [String] = [], _ body: (ScriptedFunction) throws -> Void
    ) throws {
        let end = try ScriptedFunction.run(Self.script(cloud, 1), on: cloud, options: options, body)
        #expect(end.status == 0)
        #expect(end.survivors.isEmpty)
    }

    /// Answers its version and its process id; `/slow` takes a second, `/held` until the test lets it go.
    private static func script(_ cloud: ScriptedFunction.Cloud, _ version: Int) -> String {
        switch cloud {
        case .lambda:
            """
            while True:
                id, headers, event = next()
                if event["rawPath"] == "/slow": time.sleep(1)
                if event["rawPath"] == "/held": say("held")
                while event["rawPath"] == "/held" and not os.path.exists(__file__ + ".go"): time.sleep(0.01)
                respond(id, ok("\(version) %d" % os.getpid()))
            """
        case .fc:
            """
            def handle(request, control, body):
                if request.path == "/slow": time.sleep(1)
                if request.path == "/held": say("held")
                while request.path == "/held" and not os.path.exists(__file__ + ".go"): time.sleep(0.01)
                request.answer("\(version) %d" % os.getpid())
            """
        }
    }

    private func process(_ answer: Answer) throws -> pid_t {
        try #require(answer.text.split(separator: " ").last.flatMap { pid_t($0) })
    }

    @Test(arguments: ScriptedFunction.Cloud.allCases)
    func `an instance without a request is stopped, and goes on for the next`(cloud: ScriptedFunction.Cloud) throws {
        try serve(cloud, ["--freeze"]) { function in
            let first = try function.get()
            for _ in 0..<3 {
                #expect(FrozenProcess.waits(for: try process(first)))
                let next = try function.get()
                #expect(next.text == first.text)
            }
            // Whoever works is not stopped.
            let slow = try function.get("/slow")
            #expect(slow.text == first.text)
            #expect(FrozenProcess.waits(for: try process(first)))
        }
        try serve(cloud) { function in
            let first = try function.get()
            Thread.sleep(forTimeInterval: 0.2)
            #expect(!FrozenProcess.isStopped(try process(first)))
        }
    }

    @Test(arguments: ScriptedFunction.Cloud.allCases)
    func `a platform that is killed outright leaves no stopped process behind`(cloud: ScriptedFunction.Cloud) throws {
        let end = try ScriptedFunction.run(Self.script(cloud, 1), on: cloud, options: ["--freeze"]) { function in
            let first = try function.get()
            #expect(FrozenProcess.waits(for: try process(first)))
            kill(function.process.pid, SIGKILL)
        }
        #expect(end.status == 128 + SIGKILL)
        #expect(end.survivors.isEmpty)
    }

    @Test func `a stopped instance is ended well`() throws {
        try serve(.fc, ["--freeze", "--pre-stop-ms", "60000"]) { function in
            let first = try function.get()
            #expect(FrozenProcess.waits(for: try process(first)))
            // It is ended for its program, which changes now and not before it was seen stopped.
            try Program.write(ScriptedFunction.text(Self.script(.fc, 2), .fc), to: function.bootstrap)
            #expect(try function.waitForAccount("instances_alive", 0))
            #expect(function.process.output.contains(/FC PreStop End RequestId: [0-9a-f-]+\n/))
        }
    }

    @Test(arguments: ScriptedFunction.Cloud.allCases, [[], ["--freeze"]])
    func `a changed program replaces idle instances before the next request`(
        cloud: ScriptedFunction.Cloud, options: [String]
    ) throws {
        try serve(cloud, ["--concurrency", "1"] + options) { function in
            let first = try function.get()
            #expect(first.text.hasPrefix("1 "))
            #expect(try function.get().text == first.text)
            try Program.write(ScriptedFunction.text(Self.script(cloud, 2), cloud), to: function.bootstrap)
            // What is being written is left alone for 0.2 s.
            Thread.sleep(forTimeInterval: 0.3)
            let next = try function.get()
            #expect(next.text.hasPrefix("2 "))
            #expect(try function.get().text == next.text)
            #expect(try function.waitForAccount("instances_alive", 1))
        }
    }

    @Test(arguments: ScriptedFunction.Cloud.allCases)
    func `a busy instance finishes what it has before it is replaced`(cloud: ScriptedFunction.Cloud) throws {
        try serve(cloud, ["--concurrency", "1"]) { function in
            let first = try function.get()
            let held = Answers()
            let later = Answers()
            concurrently(3) { index in
                switch index {
                case 0: if let answer = try? function.get("/held") { held.append(answer) }
                case 1:
                    #expect(function.waitForLines(1, beginning: "held"))
                    try? Program.write(ScriptedFunction.text(Self.script(cloud, 2), cloud), to: function.bootstrap)
                    // What is being written is left alone for 0.2 s.
                    Thread.sleep(forTimeInterval: 0.3)
                    if let answer = try? function.get() { later.append(answer) }
                default:
                    // Answered by another instance, or waiting for one: the only place is taken.
                    wait { !later.all.isEmpty || (try? function.account()["queued"]) == 1 }
                    function.letGo()
                }
            }
            #expect(held.all.map(\.text) == [first.text])
            #expect(later.all.first?.text.hasPrefix("2 ") == true)
            #expect(try function.waitForAccount("instances_alive", 1))
        }
    }

    @Test func `a program that is missing is being made, and the instance that runs goes on`() throws {
        try serve(.fc) { function in
            let first = try function.get()
            try FileManager.default.removeItem(atPath: function.bootstrap)
            #expect(try function.get().text == first.text)
        }
    }

    @Test func `the platform raises its own limit of descriptors alone`() throws {
        let script = """
            while True:
                id, headers, event = next()
                respond(id, ok(open("/proc/self/limits").read()))
            """
        let end = try ScriptedFunction.run(script, descriptors: 256) { function in
            let own = try String(contentsOfFile: "/proc/\(function.process.pid)/limits", encoding: .utf8)
            let limits = try #require(descriptorLimits(own))
            #expect(limits.soft == limits.hard)
            let its = try #require(descriptorLimits(try function.get().text))
            #expect(its.soft == "256")
            #expect(its.hard == limits.hard)
        }
        #expect(end.status == 0)
    }

    /// The line of proc(5) that begins with `Max open files`.
    private func descriptorLimits(_ text: String) -> (soft: Substring, hard: Substring)? {
        let line = text.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        let words = line?.split(separator: " ") ?? []
        return words.count >= 5 ? (words[3], words[4]) : nil
    }
}

/// Processes stopped by SIGSTOP.
enum FrozenProcess {
    /// The state in /proc, which follows the name in parentheses.
    static func isStopped(_ process: pid_t) -> Bool {
        let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        return text.split(separator: ")").last?.hasPrefix(" T") ?? false
    }

    /// Waits until it is stopped; false where it never is.
    static func waits(for process: pid_t) -> Bool {
        wait { isStopped(process) }
    }
}
