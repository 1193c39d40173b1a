import Foundation
import JSON
import Testing

/// What the caller gets from Function Compute when a function answers wrongly, late or not at all.
@Suite struct ComputeOutcomeTests {
    private func serve(_ script: String, options: [String] = [], _ body: (ScriptedFunction) throws -> Void) throws {
        let end = try ScriptedFunction.run(script, on: .fc, options: options, body)
        #expect(end.status == 0)
        #expect(end.survivors.isEmpty)
    }

    /// Does what the path says; the answer is the process id.
    private static let script = """
        import socket
        closed = set()
        def close(request):
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
        def handle(request, control, body):
            path = request.path
            if path == "/exit": os._exit(3)
            if path == "/garbage": request.wfile.write(b"no HTTP at all\\r\\n\\r\\n")
            elif path == "/head": request.answer(long="a" * 8200)
            elif path == "/cut":
                request.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nabc")
                close(request)
            elif path == "/close" or path == "/close-once" and path not in closed:
                closed.add(path)
                close(request)
            elif path == "/fields":
                request.answer(Server="mine", Date="never", Keep_Alive="timeout=9", Upgrade="h2c", x_fc_status="200",
                               x_fc_mine="1", Content_Disposition="attachment; filename=a", x_mine="1")
            elif path == "/inline": request.answer(Content_Disposition="inline")
            elif path == "/failure": request.answer("failed", 200, x_fc_status="404")
            elif path == "/teapot": request.answer("teapot", 418)
            else: request.answer(str(os.getpid()))
        """

    @Test func `an answer that is none is a 502, and the instance stays`() throws {
        try serve(Self.script) { function in
            let before = try function.get().text
            for path in ["/garbage", "/head", "/cut", "/close"] {
                let answer = try function.get(path)
                #expect(answer.status == 502, "\(path)")
                #expect(try answer.json()["ErrorCode"] == "BadResponse", "\(path)")
                #expect(answer["x-fc-request-id"] != nil)
            }
            #expect(try function.get().text == before)
            #expect(try function.account()["instances_started"] == 1)
            #expect(try function.account()["failures"] == 4)
        }
    }

    @Test func `a connection that the function closes is tried again for what changes nothing`() throws {
        try serve(Self.script) { function in
            let tried = try function.get("/close-once")
            #expect(tried.status == 200)
            let path = function.url + "/close"
            #expect(try OneShotHTTP.send("POST", path, body: [1]).status == 502)
        }
    }

    @Test func `a process that exits is a 502 with its time and its memory`() throws {
        try serve(Self.script) { function in
            let first = try function.get("/exit")
            #expect(first.text.contains(/maxMemoryUsage: [1-9][0-9]*MB/))
            let before = try function.get().text
            let lost = try function.get("/exit")
            #expect(lost.status == 502)
            #expect(try lost.json()["ErrorCode"] == "ProcessExited")
            #expect(lost.text.contains("Process exited unexpectedly before completing request (duration: "))
            #expect(lost.text.contains(/maxMemoryUsage: [1-9][0-9]*MB/))
            #expect(lost["x-fc-request-id"] != nil)
            #expect(try function.get().text != before)
        }
    }

    @Test func `fields that belong to the platform are dropped, and its own are added`() throws {
        try serve(Self.script) { function in
            let answer = try function.get("/fields")
            #expect(answer["x-mine"] == "1")
            for name in ["keep-alive", "upgrade", "x-fc-status", "x-fc-mine", "content-disposition"] {
                #expect(answer[name] == nil, "\(name)")
            }
            #expect(answer["server"] != "mine")
            #expect(answer["date"] != "never")
            #expect(answer["x-fc-request-id"] != nil)
            #expect(try function.get("/inline")["content-disposition"] == "inline")
            #expect(try function.get("/teapot").status == 418)
        }
        try serve(Self.script, options: ["--default-domain"]) { function in
            let answer = try function.get("/inline")
            #expect(answer["content-disposition"] == "attachment")
        }
    }

    @Test func `a function that says it failed is counted so, whatever its status`() throws {
        try serve(Self.script) { function in
            let answer = try function.get("/failure")
            #expect(answer.status == 200)
            #expect(answer.text == "failed")
            #expect(try function.account()["failures"] == 1)
        }
    }

    @Test func `an event's answer is its body alone`() throws {
        let script = """
            def handle(request, control, body):
                event = json.loads(body)
                status = "404" if "fail" in event["payload"] else "200"
                request.answer(control + " " + event["payload"] + " " + request.headers["Content-Type"], 500,
                               x_mine="1", x_fc_status=status)
            """
        try serve(script) { function in
            let fired = try OneShotHTTP.send("POST", function.url + "/_event-server/fire", json: "{}")
            #expect(fired.status == 200)
            #expect(fired.text == "/invoke {} application/octet-stream")
            #expect(fired["x-mine"] == nil)
            #expect(fired["x-fc-error-type"] == nil)
            let failed = try OneShotHTTP.send("POST", function.url + "/_event-server/fire", json: #"{"job":"fail"}"#)
            #expect(failed.status == 200)
            #expect(failed["x-fc-error-type"] == "HandledInvocationError")
        }
    }

    @Test func `of three hundred connections to one instance a hundred are refused, and the others answered`() throws {
        let script = """
            Server.request_queue_size = 1024
            go = __file__ + ".go"
            def handle(request, control, body):
                while request.path == "/waits" and not os.path.exists(go): time.sleep(0.05)
                request.answer()
            """
        let options = ["--concurrency", "1", "--instance-concurrency", "200", "--timeout-ms", "120000"]
        try serve(script, options: options) { function in
            let first = try function.get()
            #expect(first.status == 200)
            let answers = Answers()
            concurrently(301) { index in
                if index < 300 {
                    let answer = try? OneShotHTTP.send("GET", function.url + "/waits", timeout: 120)
                    if let answer { answers.append(answer) }
                } else {
                    // All who are answered before anybody may go on are those who found no place.
                    wait { answers.all.count >= 100 }
                    function.letGo()
                }
            }
            #expect(answers.all.prefix(100).allSatisfy { $0.status == 429 && $0["x-fc-request-id"] != nil })
            #expect(answers.all.count { $0.status == 200 } == 200)
            #expect(try function.account()["instances_started"] == 1)
        }
    }

    @Test func `an instance whose request overruns its time is ended when its others have finished`() throws {
        let script = """
            go = __file__ + ".go"
            def handle(request, control, body):
                if request.path == "/slow": time.sleep(60)
                while request.path == "/waits" and not os.path.exists(go): time.sleep(0.01)
                request.answer(str(os.getpid()))
            """
        try withGrowingLimit([3_000, 12_000, 24_000]) { limit in
            try serve(script, options: ["--timeout-ms", "\(limit)"]) { function in
                let before = try function.get().text
                let (slow, other, next) = (Answers(), Answers(), Answers())
                concurrently(3) { index in
                    switch index {
                    case 0:
                        if let answer = try? function.get("/slow") { slow.append(answer) }
                        // The slow one is answered; the other is still under way, on an instance that takes no more.
                        if let answer = try? function.get() { next.append(answer) }
                    case 1:
                        // Its own time is over half the limit later.
                        Thread.sleep(forTimeInterval: Double(limit) / 2_000)
                        if let answer = try? function.get("/waits") { other.append(answer) }
                    default:
                        // The first, the slow one, the other, and the next, which has its instance when this is written.
                        _ = function.waitForLines(4, beginning: "FC Invoke Start")
                        function.letGo()
                    }
                }
                // The other came when the slow one was over, or was itself over time before the next had come.
                let isOver = try (other.all + next.all).contains { try $0.json()["ErrorCode"] == "FunctionTimeout" }
                if isOver || other.all.map(\.text) == next.all.map(\.text) { throw TooLate() }
                let timeout = try #require(slow.all.first)
                #expect(timeout.status == 502)
                #expect(try timeout.json()["ErrorCode"] == "FunctionTimeout")
                #expect(timeout.text.contains("Function time out after \(limit) ms"))
                #expect(next.all.map(\.status) == [200])
                #expect(next.all.map(\.text) != [before])
                #expect(other.all.map(\.text) == [before])
                #expect(try function.waitForAccount("instances_alive", 1))
                let process = try #require(pid_t(before))
                #expect(kill(process, 0) == -1)
            }
        }
    }

    @Test func `a function that does not start says why`() throws {
        try serve("print('no DATABASE_URL', flush=True); sys.exit(7)") { function in
            let answer = try function.get()
            #expect(answer.status == 502)
            #expect(try answer.json()["ErrorCode"] == "FunctionNotStarted")
            #expect(answer.text.contains("exit code 7"))
            #expect(answer.text.contains("no DATABASE_URL"))
            #expect(answer["x-fc-request-id"] != nil)
        }
        try serve("time.sleep(60)", options: ["--init-ms", "500"]) { function in
            let answer = try function.get()
            #expect(answer.status == 502)
            #expect(try answer.json()["ErrorCode"] == "FunctionNotStarted")
            // Where it is ended before this answer is written, that is told.
            #expect(answer.text.contains("does not listen in time") || answer.text.contains("exit code 137"))
            #expect(try function.waitForAccount("instances_alive", 0))
        }
    }

    /// The two numbers that the platform's documentation explains.
    @Test(arguments: [("chmod 600", 13), ("printf 'no program' >", 8)])
    func `a bootstrap that cannot be executed is named by its number`(spoil: String, code: Int) throws {
        try serve(Self.script) { function in
            let shell = try Program.run("/bin/sh", ["-c", spoil + " \(function.bootstrap)"])
            #expect(shell.status == 0)
            let answer = try function.get()
            #expect(answer.status == 502)
            #expect(answer.text.contains("exit code \(code) ("))
        }
    }
}
