import Foundation
import JSON
import Testing

/// `--record` and `event-server replay`, with real processes on both sides.
@Suite struct RecordTests {
    /// The whole lines of a record, once there are so many.
    private func lines(_ file: String, _ count: Int) throws -> [JSON.Value] {
        var lines: [Substring] = []
        wait {
            let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            lines = text[..<(text.lastIndex(of: "\n") ?? text.startIndex)].split(separator: "\n")
            return lines.count >= count
        }
        return try lines.map { try JSON.Value(parsing: $0.utf8) }
    }

    private func replay(_ file: String, _ url: String, authorization: String? = nil) throws -> Program {
        try Program.run(
            LocalPlatform.products.appending(path: "event-server").path(), ["replay", file, "--url", url],
            environment: authorization.map { ["AUTHORIZATION": $0] } ?? [:])
    }

    @Test func `events are recorded, and sent again they show what came of them differently`() throws {
        // The one who knocks gets in; the second time the other door is locked.
        let script = """
            doors = 0
            while True:
                id, headers, event = next()
                if "rawPath" not in event:
                    call("POST", "/invocation/" + id + "/error", '{"errorMessage":"m","errorType":"Function.Mine"}')
                    continue
                known = event["headers"].get("authorization") == "Bearer sesame"
                if event["rawPath"] == "/door": doors += 1
                respond(id, dict(statusCode=401 if not known else 423 if doors > 1 else 200, body=json.dumps(dict(token="57_secret"))))
            """
        let file = try ScratchFolder.make() + "/record"
        let end = try ScriptedFunction.run(script, options: ["--record", file, "--concurrency", "1"]) { function in
            let fields = [(name: "Authorization", value: "Bearer sesame")]
            for path in ["/open", "/door"] {
                #expect(try OneShotHTTP.send("GET", function.url + path, fields: fields).status == 200)
            }
            _ = try OneShotHTTP.send("POST", function.url + "/_event-server/fire")
            _ = try OneShotHTTP.send("POST", function.url + "/secret", fields: fields, json: #"{"password":"p-1234"}"#)
            let recorded = try lines(file, 4)
            #expect(recorded.map { $0["status"] } == [200, 200, .null, 200])
            #expect(recorded.map { $0["outcome"] } == ["response", "response", "Function.Mine", "response"])
            #expect(recorded[0]["event"]?["rawPath"] == "/open")
            #expect(recorded[0]["masked"] == ["event.headers.authorization"])
            let text = try String(contentsOfFile: file, encoding: .utf8)
            for secret in ["sesame", "57_secret", "p-1234"] { #expect(!text.contains(secret)) }
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
            #expect(mode == 0o600)

            let again = try replay(file, function.url, authorization: "Bearer sesame")
            #expect(again.status == 1)
            #expect(
                again.output.split(separator: "\n") == [
                    "1 GET /open: 200, as before", "2 GET /door: 423, was 200", "3 event: Function.Mine, as before",
                    "4 POST /secret: skipped, masked: event.body.password", "3 sent, 1 differs, 1 skipped",
                ], "\(again.output)\(again.errors)")
            let unknown = try replay(file, function.url)
            #expect(unknown.output.contains("1 GET /open: 401, was 200"))
        }
        #expect(end.status == 0)
    }

    @Test func `requests of Function Compute are recorded without a token, and sent again`() throws {
        let file = try ScratchFolder.make() + "/record"
        try LocalPlatform.run(options: ["--platform", "fc", "--record", file]) { platform in
            let realm = """
                {"id": "wx", "config": {"url": "\(platform.provider)/cgi-bin/token", "arguments": [
                    {"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "$key_2"},
                    {"name": "grant_type", "place": "url", "value": "client_credential"}],
                 "token_path": "access_token", "expires_in_path": "expires_in"}}
                """
            #expect(try OneShotHTTP.send("POST", platform.url + "/api/realm", json: realm).status == 200)
            let secret = #"{"realm": "wx", "key": "app", "key_1": "a", "key_2": "s-1234"}"#
            #expect(try OneShotHTTP.send("POST", platform.url + "/api/secret", json: secret).status == 200)
            let token = try OneShotHTTP.send("GET", platform.cache + "/api/token?realm=wx&key=app").json()
            let invoke = platform.url + "/2023-03-30/functions/token-server/invocations"
            let event = #"{"triggerTime":"2026-01-01T00:00:00Z","triggerName":"t","payload":"{\"job\":\"refresh\"}"}"#
            let invoked = try OneShotHTTP.send("POST", invoke, json: event)
            #expect(invoked.status == 200)
            #expect(try invoked.json()["refreshed"] == 0)
            let later = [(name: "X-Fc-Invocation-Type", value: "Async")]
            #expect(try OneShotHTTP.send("POST", invoke, fields: later, json: event).status == 202)
            let other = try OneShotHTTP.send(
                "POST", platform.url + "/2023-03-30/functions/other/invocations", json: "{}")
            #expect(other.status == 404)
            #expect(try OneShotHTTP.send("GET", invoke).status == 405)

            // What came from outside alone: not what the cache asks of the server, nor the checks at the start.
            let recorded = try lines(file, 5)
            #expect(
                recorded.map { $0["request"]?["target"]?.string } == [
                    "/api/realm", "/api/secret", "/api/token?realm=wx&key=app", "/invoke", "/invoke",
                ])
            #expect(recorded.map { $0["function"] == "token-server-cache" } == [false, false, true, false, false])
            let text = try String(contentsOfFile: file, encoding: .utf8)
            #expect(!text.contains(try #require(token["token"]?.string)))
            #expect(!text.contains("s-1234"))
            #expect(recorded.contains { $0["request"]?["control"] == "/invoke" && $0["status"] == 200 })
            let again = try replay(file, platform.url)
            #expect(again.status == 0, "\(again.output)\(again.errors)")
            #expect(again.output.split(separator: "\n").count == 6, "each call once, and the sum")
            #expect(again.output.contains("GET /api/token?realm=wx&key=app: 200, as before"))
            #expect(again.output.contains("POST /invoke: 200, as before"))
            #expect(again.output.contains("POST /api/secret: skipped, masked: request.body.key_1"))
        }
    }

    @Test func `what the cache passes on is recorded once`() throws {
        let file = try ScratchFolder.make() + "/record"
        try LocalPlatform.run(options: ["--record", file]) { platform in
            for path in ["/api/realm", "/readyz", "/api/none"] {
                _ = try OneShotHTTP.send("GET", platform.cache + path)
            }
            let health = try OneShotHTTP.send("GET", platform.url + "/healthz")
            #expect(health.status == 200)
            let recorded = try lines(file, 4)
            let paths = recorded.map { $0["event"]?["rawPath"]?.string }
            #expect(paths == ["/api/realm", "/readyz", "/api/none", "/healthz"])
            // The server got more: the check at the start, and what the cache asked. The account may come after the answer.
            let isCounted = try wait {
                let account = try OneShotHTTP.send("GET", platform.url + "/_event-server/invocations").json()
                return (account["totals"]?["invocations"]?.number?.integer ?? 0) >= 5
            }
            #expect(isCounted)
        }
    }

    @Test func `a timer that runs by itself is not recorded`() throws {
        let template = """
            resources:
              a:
                component: fc3
                props:
                  functionName: scripted
                  triggers:
                    - {triggerName: tick, triggerType: timer, triggerConfig: {cronExpression: '@every 1s'}}
            """
        let folder = try ScratchFolder.make()
        try template.write(toFile: folder + "/s.yaml", atomically: true, encoding: .utf8)
        let script = """
            def handle(request, control, body):
                say("called", control)
                request.answer("ok")
            """
        let options = ["--template", folder + "/s.yaml", "--record", folder + "/record"]
        let end = try ScriptedFunction.run(script, on: .fc, options: options) { function in
            #expect(function.process.waitForLine(beginning: "called /invoke", within: 60))
            #expect(function.process.waitForLine(beginning: "FC Invoke End", within: 60))
            let answer = try function.get("/a")
            #expect(answer.status == 200)
            let recorded = try lines(folder + "/record", 1)
            #expect(recorded.map { $0["request"]?["target"] } == ["/a"])
        }
        #expect(end.status == 0)
    }

    @Test func `what is no record, and a platform that is not there, is one line`() throws {
        let file = try ScratchFolder.make() + "/record"
        try "{}\n".write(toFile: file, atomically: true, encoding: .utf8)
        let broken = try replay(file, "http://127.0.0.1:1")
        #expect(broken.status == 2)
        #expect(broken.errors == "event-server: \(file):1: this is no line of a record\n")
        let line = #"{"outcome":"response","masked":[],"event":{}}"#
        try line.write(toFile: file, atomically: true, encoding: .utf8)
        let alone = try replay(file, "http://127.0.0.1:1")
        #expect(alone.status == 2)
        #expect(alone.errors.hasPrefix("event-server: http://127.0.0.1:1 cannot be reached: "))
    }
}
