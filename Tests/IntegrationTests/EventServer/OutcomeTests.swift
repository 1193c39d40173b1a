import Foundation
import JSON
import Testing

/// What a caller gets when the function's answer is wrong, late or missing: the cloud's own words for each shape.
@Suite struct OutcomeTests {
    private static let wrong = """
        answers = {
            "/status": {"statusCode": "x"}, "/range": {"statusCode": 99}, "/body": {"statusCode": 200, "body": {}},
            "/text": "no json", "/base64": {"statusCode": 200, "body": "!", "isBase64Encoded": True},
            "/flag": {"statusCode": 200, "body": "", "isBase64Encoded": "true"}, "/headers": {"statusCode": 200, "headers": []},
            "/value": {"statusCode": 200, "headers": {"a": {}}}, "/bare": {"a": 1}, "/cut": '{"statusCode":200,',
            "/single": {"statusCode": 200, "headers": {"x-a": "1"}, "body": ""},
            "/multi": {"statusCode": 200, "multiValueHeaders": {"x-a": ["1", "2"]}, "body": ""},
            "/both": {"statusCode": 200, "headers": {"x-a": "0", "x-b": "3"}, "multiValueHeaders": {"x-a": ["1", "2"]}, "body": ""},
            "/text-status": {"statusCode": "201", "body": "made"}}
        while True:
            id, headers, event = next()
            path = event.get("rawPath") or event["path"]
            if path == "/error": call("POST", "/invocation/" + id + "/error", '{"errorMessage":"m","errorType":"Function.Mine"}')
            else: respond(id, answers[path])
        """

    private func serve(
        _ script: String, options: [String] = [], _ body: (ScriptedFunction) throws -> Void
    ) throws {
        let end = try ScriptedFunction.run(script, options: options, body)
        #expect(end.status == 0)
        #expect(end.survivors.isEmpty)
    }

    private func expectRefusal(_ answer: Answer, _ shape: String, _ path: String) throws {
        #expect(answer.status == 502, "\(path)")
        #expect(answer["x-event-server-error"] != nil, "\(path)")
        switch shape {
        case "v1", "v2": #expect(try answer.json() == ["message": "Internal server error"], "\(path)")
        case "url": #expect(answer.text == "Internal Server Error", "\(path)")
        default:
            #expect(answer.text.contains("<h1>502 Bad Gateway</h1>"), "\(path)")
            #expect(answer["content-type"] == "text/html")
        }
    }

    @Test(arguments: ["v1", "v2", "url", "alb", "alb-multi"])
    func `wrong answers get the cloud's own words`(shape: String) throws {
        try serve(Self.wrong, options: ["--shape", shape]) { function in
            var paths = [
                "/status", "/range", "/body", "/text", "/base64", "/flag", "/headers", "/value", "/cut", "/error",
            ]
            switch shape {
            case "v1": paths += ["/bare"]
            case "v2", "url": paths += []
            case "alb": paths += ["/bare", "/multi", "/text-status"]
            default: paths += ["/bare", "/single", "/text-status"]
            }
            for path in paths where !(shape == "alb-multi" && (path == "/value")) {
                try expectRefusal(try function.get(path), shape, path)
            }
        }
    }

    @Test(arguments: [
        ("v1", "/multi", ["1", "2"]), ("v1", "/both", ["1", "2"]), ("v1", "/single", ["1"]), ("v2", "/single", ["1"]),
        ("v2", "/multi", []), ("url", "/single", ["1"]), ("alb", "/single", ["1"]), ("alb", "/both", ["0"]),
        ("alb-multi", "/multi", ["1", "2"]), ("alb-multi", "/both", ["1", "2"]),
    ])
    func `header fields come from where the shape has them`(shape: String, path: String, values: [String]) throws {
        try serve(Self.wrong, options: ["--shape", shape]) { function in
            let answer = try function.get(path)
            #expect(answer.status == 200)
            #expect(answer.fields.filter { $0.name == "x-a" }.map(\.value) == values)
        }
    }

    @Test func `only payload 2 infers an answer, and only REST takes a status that is text`() throws {
        for shape in ["v2", "url"] {
            try serve(Self.wrong, options: ["--shape", shape]) { function in
                let inferred = try function.get("/bare")
                #expect(inferred.status == 200)
                #expect(inferred["content-type"] == "application/json")
                #expect(try inferred.json() == ["a": 1])
            }
        }
        try serve(Self.wrong, options: ["--shape", "v1"]) { function in
            let made = try function.get("/text-status")
            #expect(made.status == 201)
        }
    }

    @Test(arguments: ["alb", "alb-multi"])
    func `a load balancer takes and gives a megabyte at most`(shape: String) throws {
        let script = """
            while True:
                id, headers, event = next()
                name = "headers" if "headers" in event else "multiValueHeaders"
                empty = '{"statusCode":200,"body":""}'
                respond(id, '{"statusCode":200,"body":"' + "a" * (int(event["path"][1:]) - len(empty)) + '"}')
            """
        try serve(script, options: ["--shape", shape]) { function in
            let largest = try function.get("/1048576")
            #expect(largest.body.count == 1_048_576 - 28)
            try expectRefusal(try function.get("/1048577"), shape, "/1048577")
            let body = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)
            #expect(try OneShotHTTP.send("POST", function.url + "/100", body: body).status == 200)
            #expect(try OneShotHTTP.send("POST", function.url + "/100", body: body + [0]).status == 413)
        }
    }

    @Test func `the raw invoke route says what Lambda's says`() throws {
        let script = """
            while True:
                id, headers, event = next()
                if event["do"] == "sleep": time.sleep(60)
                if event["do"] == "exit": os._exit(7)
                if event["do"] == "fail": call("POST", "/invocation/" + id + "/error", '{"errorMessage":"m","errorType":"Function.Mine"}')
                elif event["do"] == "text": respond(id, "not json, and handed on as it is")
                else: respond(id, "a" * (6 * 1024 * 1024 + 101))
            """
        func invoke(_ what: String, _ function: ScriptedFunction) throws -> Answer {
            try OneShotHTTP.send(
                "POST", function.url + "/2015-03-31/functions/function/invocations", json: #"{"do":"\#(what)"}"#)
        }
        try serve(script, options: ["--timeout-ms", "1500", "--concurrency", "1"]) { function in
            let slow = try invoke("sleep", function)
            #expect(slow.status == 200)
            #expect(slow["x-amz-function-error"] == "Unhandled")
            #expect(try slow.json()["errorType"] == "Sandbox.Timedout")
            #expect(try slow.json()["errorMessage"]?.string?.hasSuffix("Task timed out after 1.50 seconds") == true)
        }
        // What is not about time has all it wants.
        try serve(script, options: ["--concurrency", "1"]) { function in
            let ended = try invoke("exit", function).json()
            #expect(ended["errorType"] == "Runtime.ExitError")
            #expect(ended["errorMessage"]?.string?.hasSuffix("exit status 7") == true)
            #expect(try invoke("fail", function).json() == ["errorMessage": "m", "errorType": "Function.Mine"])
            let text = try invoke("text", function)
            #expect(text.text == "not json, and handed on as it is")
            #expect(text["x-amz-function-error"] == nil)
            #expect(try invoke("large", function).json()["errorType"] == "Function.ResponseSizeTooLarge")
        }
    }

    @Test func `what a process that is gone used of its memory is told all the same`() throws {
        let script = """
            while True:
                id, headers, event = next()
                if event["rawPath"] == "/sleep": time.sleep(60)
                if event["rawPath"] == "/exit": os._exit(7)
                respond(id, ok())
            """
        try withGrowingLimit([1_500, 6_000, 20_000]) { limit in
            try serve(script, options: ["--timeout-ms", "\(limit)", "--concurrency", "1"]) { function in
                let statuses = try ["/exit", "/sleep", "/", "/exit"].map { try function.get($0).status }
                if statuses.count(where: { $0 == 504 }) > 1 { throw TooLate() }
                #expect(statuses == [502, 504, 200, 502])
                #expect(try function.waitForAccount("invocations", 4))
                let account = try OneShotHTTP.send("GET", function.url + "/_event-server/invocations").json()
                let peaks = account["invocations"]?.array?.compactMap { $0["peak_memory_kb"]?.number?.integer } ?? []
                // A Python interpreter has more than that.
                #expect(peaks.count == 4 && peaks.allSatisfy { $0 > 1_024 }, "\(peaks)")
                #expect(function.waitForLines(4, beginning: "REPORT "))
                let reports = function.lines(beginning: "REPORT ")
                #expect(reports.count { $0.contains(/Max Memory Used: [1-9][0-9]* MB/) } == 4, "\(reports)")
            }
        }
    }
}
