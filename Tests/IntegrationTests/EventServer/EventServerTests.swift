import Foundation
import JSON
import Testing

/// The local platform in front of functions that behave in every way: real processes, real sockets.
@Suite struct EventServerTests {
    private func serve(
        _ script: String, options: [String] = [], _ body: (ScriptedFunction) throws -> Void
    ) throws {
        let end = try ScriptedFunction.run(script, options: options, body)
        #expect(end.status == 0)
        #expect(end.survivors.isEmpty)
    }

    private static let echo = """
        while True:
            id, headers, event = next()
            respond(id, ok(json.dumps(dict(event=event, deadline=headers["lambda-runtime-deadline-ms"], pid=os.getpid(), id=id))))
        """

    @Test func `a request is an event with a deadline that is an instant, and an id of its own`() throws {
        try serve(Self.echo, options: ["--timeout-ms", "10000"]) { function in
            let before = Int64(Date().timeIntervalSince1970 * 1_000)
            let first = try function.get("/a%20b?x=1&x=2").json()
            let second = try function.get("/").json()
            #expect(first["event"]?["rawPath"] == "/a%20b")
            #expect(first["event"]?["rawQueryString"] == "x=1&x=2")
            #expect(first["event"]?["queryStringParameters"]?["x"] == "1,2")
            let context = first["event"]?["requestContext"]
            #expect(context?["http"]?["sourceIp"] == "127.0.0.1")
            #expect((context?["timeEpoch"]?.number?.integer ?? 0) >= before)
            #expect(context?["requestId"] != second["event"]?["requestContext"]?["requestId"])
            let deadline = try #require(first["deadline"]?.string.flatMap { Int64($0) })
            #expect((before + 9_000...before + 60_000).contains(deadline))
            // One process serves both.
            #expect(first["pid"] == second["pid"])
            let id = try #require(first["id"]?.string)
            // Written after the next event was asked for, which may be handed out before.
            #expect(function.waitForLines(1, beginning: "REPORT RequestId: \(id)"))
        }
    }

    @Test func `requests at once run side by side, up to the limit`() throws {
        // None answers before there are three that each have an event.
        let script = """
            folder = os.path.dirname(__file__)
            while True:
                id, headers, event = next()
                open(folder + "/busy-" + str(os.getpid()), "w").close()
                while sum(name.startswith("busy-") for name in os.listdir(folder)) < 3: time.sleep(0.01)
                respond(id, ok(str(os.getpid())))
            """
        try serve(script, options: ["--concurrency", "3"]) { function in
            let answers = function.getAtOnce(9)
            #expect(answers.count == 9)
            #expect(answers.allSatisfy { $0.status == 200 })
            #expect(Set(answers.map(\.text)).count == 3)
            let account = try function.account()
            #expect(account["instances_started"] == 3)
        }
    }

    @Test func `a crash is a 502 at once with the last lines, and the next request gets a new instance`() throws {
        let script = """
            id, headers, event = next()
            if event["rawPath"] == "/crash":
                print("about to crash", flush=True)
                os._exit(3)
            respond(id, ok())
            next()
            """
        try serve(script) { function in
            let crashed = try function.get("/crash")
            #expect(crashed.status == 502)
            #expect(try crashed.json()["error_type"] == "Runtime.ExitError")
            #expect(crashed.text.contains("about to crash"))
            #expect(try function.get("/").status == 200)
        }
    }

    @Test func `a function that overruns its deadline is killed, and the answer is a 504 with its last lines`() throws {
        let script = """
            print("thinking", flush=True)
            while True:
                id, headers, event = next()
                if event["rawPath"] == "/slow": time.sleep(60)
                respond(id, ok(str(os.getpid())))
            """
        try withGrowingLimit([500, 5_000, 20_000]) { limit in
            try serve(script, options: ["--timeout-ms", "\(limit)"]) { function in
                let slow = try function.get("/slow")
                #expect(slow.status == 504)
                #expect(slow.text.contains("thinking"))
                #expect(slow["x-request-id"] != nil)
                #expect(try slow.json()["request_id"]?.string == slow["x-request-id"])
                let next = try function.get("/")
                if next.status == 504 { throw TooLate() }
                #expect(next.status == 200)
                #expect(function.process.output.contains("Status: timeout"))
            }
        }
    }

    @Test(arguments: [
        ("sys.exit(1)", "Runtime.InitError"),
        (
            #"call("POST", "/init/error", "{}", {"Lambda-Runtime-Function-Error-Type": "Runtime.NoSettings"}); sys.exit(1)"#,
            "Runtime.NoSettings"
        ),
    ])
    func `a function that cannot start answers whoever wanted it, and is tried again`(script: String, word: String)
        throws
    {
        try serve(script, options: ["--concurrency", "2"]) { function in
            let answers = function.getAtOnce(6)
            #expect(answers.count == 6)
            #expect(answers.allSatisfy { $0.status == 502 && $0.text.contains(word) }, "\(answers.map(\.text))")
            // No respawning while nobody asks.
            let started = try function.account()["instances_started"]
            Thread.sleep(forTimeInterval: 0.3)
            #expect(try function.account()["instances_started"] == started)
        }
    }

    @Test func `wrong shapes get the cloud's own words`() throws {
        let script = """
            while True:
                id, headers, event = next()
                respond(id, {"/status": {"statusCode": "x"}, "/body": {"statusCode": 200, "body": {}}, "/text": "no json",
                             "/inferred": {"a": 1}, "/base64": {"statusCode": 200, "body": "!", "isBase64Encoded": True}}[event["rawPath"]])
            """
        try serve(script) { function in
            for path in ["/status", "/body", "/text", "/base64"] {
                let answer = try function.get(path)
                #expect(answer.status == 502)
                #expect(try answer.json() == ["message": "Internal server error"])
                #expect(answer["x-event-server-error"] != nil)
            }
            let inferred = try function.get("/inferred")
            #expect(inferred.status == 200)
            #expect(try inferred.json() == ["a": 1])
        }
    }

    @Test func `each invocation is answered once, whatever else the function says`() throws {
        let script = """
            id, headers, event = next()
            wrong = call("POST", "/invocation/none/response", "1")[0]
            early = call("GET", "/invocation/next")[0]
            first = respond(id, ok(json.dumps([wrong, early])))[0]
            second = respond(id, ok("again"))[0]
            id, headers, event = next()
            respond(id, ok(json.dumps([first, second])))
            next()
            """
        try serve(script) { function in
            let answers = try [function.get().json(), function.get().json()]
            #expect(answers == [[400, 403], [202, 403]])
        }
    }

    @Test func `a response over the limit is refused to the function and a 502 to the caller`() throws {
        let script = """
            id, headers, event = next()
            print("status", respond(id, '"' + "a" * (6 * 1024 * 1024 + 101) + '"')[0], flush=True)
            id, headers, event = next()
            respond(id, ok("a" * 6000000))
            next()
            """
        try serve(script) { function in
            #expect(try function.get().status == 502)
            let large = try function.get()
            #expect(large.status == 200)
            #expect(large.body.count == 6_000_000)
            #expect(function.process.waitForLine(beginning: "status 413", within: 60))
        }
    }

    @Test func `a response may be sent in pieces`() throws {
        let script = """
            id, headers, event = next()
            def pieces():
                for piece in (b'{"statusCode":200,', b'"body":"pie', b'ces"}'):
                    time.sleep(0.02)
                    yield piece
            connection.request("POST", "/2018-06-01/runtime/invocation/" + id + "/response", pieces(), encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked"})
            connection.getresponse().read()
            next()
            """
        try serve(script) { function in
            let answer = try function.get()
            #expect(answer.text == "pieces")
        }
    }

    @Test(arguments: [(["--throttle"], 1), (["--queue", "2"], 3)])
    func `what is over the queue is throttled`(options: [String], served: Int) throws {
        let script = """
            while True:
                id, headers, event = next()
                while event["rawPath"] == "/held" and not os.path.exists(__file__ + ".go"): time.sleep(0.01)
                respond(id, ok())
            """
        try serve(script, options: ["--concurrency", "1"] + options) { function in
            _ = try function.get()
            // The instance is idle once it has asked for the next event; then its line is written.
            #expect(function.waitForLines(1, beginning: "REPORT RequestId: "))
            let answers = Answers()
            concurrently(9) { index in
                if index < 8 {
                    if let answer = try? function.get("/held") { answers.append(answer) }
                } else {
                    wait { answers.all.count >= 8 - served }
                    function.letGo()
                }
            }
            let refused = Array(repeating: 429, count: 8 - served)
            #expect(answers.all.map(\.status) == refused + Array(repeating: 200, count: served))
        }
    }

    @Test func `an idle instance is ended, and the next request starts another`() throws {
        try serve(Self.echo, options: ["--idle-seconds", "1"]) { function in
            let first = try function.get().json()["pid"]
            #expect(try function.waitForAccount("instances_alive", 0))
            #expect(try function.get().json()["pid"] != first)
        }
    }

    @Test func `a raw event goes to the function as it is`() throws {
        let script = """
            while True:
                id, headers, event = next()
                if "fail" in event:
                    call("POST", "/invocation/" + id + "/error", '{"errorMessage":"m","errorType":"Function.Mine"}')
                else: respond(id, event)
            """
        try serve(script) { function in
            let path = "/2015-03-31/functions/scripted/invocations"
            let echoed = try OneShotHTTP.send("POST", function.url + path, json: #"{"a":[1]}"#)
            #expect(echoed.status == 200)
            #expect(try echoed.json() == ["a": [1]])
            #expect(echoed["x-amz-function-error"] == nil)
            let failed = try OneShotHTTP.send("POST", function.url + path, json: #"{"fail":1}"#)
            #expect(failed["x-amz-function-error"] == "Unhandled")
            #expect(try failed.json()["errorType"] == "Function.Mine")
            let fields = [(name: "X-Amz-Invocation-Type", value: "Event")]
            #expect(try OneShotHTTP.send("POST", function.url + path, fields: fields, json: "{}").status == 202)
            #expect(
                try OneShotHTTP.send("POST", function.url + "/2015-03-31/functions/other/invocations", json: "{}")
                    .status == 404)
        }
    }

    @Test func `descriptors do not grow with requests or with instances`() throws {
        let script = """
            for turn in range(20):
                id, headers, event = next()
                respond(id, ok())
            """
        // One instance after the other, so that as many are there at the end as at the start.
        try serve(script, options: ["--concurrency", "1"]) { function in
            func descriptors() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/\(function.process.pid)/fd").count
            }
            for _ in 0..<40 { _ = try function.get() }
            let before = try descriptors()
            for _ in 0..<200 { _ = try function.get() }
            // What the last instance held is closed when it is cleared away.
            #expect(try wait { try descriptors() <= before + 4 })
            let started = try function.account()["instances_started"] ?? 0
            #expect(started >= 10)
        }
    }

    @Test func `killed outright it still leaves no process behind`() throws {
        let end = try ScriptedFunction.run(Self.echo, options: ["--concurrency", "2"]) { function in
            _ = function.getAtOnce(4)
            #expect(function.process.members.count > 0)
            kill(function.process.pid, SIGKILL)
        }
        #expect(end.status == 128 + SIGKILL)
        #expect(end.survivors.isEmpty)
    }
}
