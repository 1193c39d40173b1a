import Foundation
import JSON
import Testing

/// Timers of a template, on both clouds' local platforms.
@Suite struct TimerTests {
    private func templateFile(_ text: String) throws -> String {
        let file = try ScratchFolder.make() + "/template.yml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    private func sam(_ events: String) throws -> String {
        try templateFile(
            """
            Resources:
              F:
                Type: AWS::Serverless::Function
                Properties: {Handler: scripted, Events: {\(events)}}
              Other:
                Type: AWS::Serverless::Function
                Properties: {Handler: other, Events: {Else: {Type: Schedule, Properties: {Schedule: rate(1 day)}}}}
            """)
    }

    private func occurrences(of text: String, in output: String) -> Int {
        output.components(separatedBy: text).count - 1
    }

    /// Prints every event and answers with it.
    private static let echo = """
        while True:
            id, headers, event = next()
            print("event", json.dumps(event), flush=True)
            respond(id, event)
        """

    @Test func `a schedule is sent when it is due, and whenever it is fired`() throws {
        try withGrowingLimit([5_000, 30_000]) { limit in try expectScheduleSent(in: Double(limit) / 1_000) }
    }

    private func expectScheduleSent(in seconds: Double) throws {
        let time = Date().addingTimeInterval(seconds)
        let due = time.ISO8601Format().dropLast()
        let file = try sam(
            """
            Once: {Type: ScheduleV2, Properties: {ScheduleExpression: at(\(due)), Input: '{"job":"once"}'}},
            Daily: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
            """)
        let end = try ScriptedFunction.run(Self.echo, options: ["--template", file]) { function in
            let isAnnounced = function.process.output.contains("timer Once of scripted, next \(due)Z")
            // The platform started when it was over.
            if !isAnnounced, Date() > time { throw TooLate() }
            #expect(isAnnounced)
            #expect(!function.process.output.contains("timer Else"))
            let fire = function.url + "/_event-server/fire"
            let once = try OneShotHTTP.send("POST", fire + "?timer=Once")
            #expect(once.status == 200)
            #expect(try once.json() == ["job": "once"])
            let daily = try OneShotHTTP.send("POST", fire + "?timer=Daily").json()
            #expect(daily["detail-type"] == "Scheduled Event")
            #expect(try OneShotHTTP.send("POST", fire + "?timer=Daily", json: #"{"a":1}"#).json() == ["a": 1])
            let unnamed = try OneShotHTTP.send("POST", fire)
            #expect(unnamed.status == 400)
            #expect(unnamed.text.contains("Once, Daily"))
            #expect(try OneShotHTTP.send("POST", fire + "?timer=Else").status == 404)
            #expect(try OneShotHTTP.send("GET", fire + "?timer=Once").status == 405)
            #expect(function.process.waitForLine(beginning: "timer Once: RequestId: ", within: 60))
            // Fired by hand once, and by itself once.
            #expect(function.waitForLines(2, beginning: #"event {"job": "once"}"#))
        }
        #expect(end.status == 0)
        #expect(end.survivors.isEmpty)
    }

    @Test func `without a template the refresh can be fired`() throws {
        _ = try ScriptedFunction.run(Self.echo) { function in
            let fired = try OneShotHTTP.send("POST", function.url + "/_event-server/fire")
            #expect(try fired.json() == ["job": "refresh"])
        }
    }

    @Test func `Function Compute's timer calls by itself, and whenever it is fired`() throws {
        let file = try templateFile(
            """
            resources:
              f:
                component: fc3
                props:
                  handler: token-server
                  triggers:
                    - triggerName: often
                      triggerType: timer
                      triggerConfig: {cronExpression: '@every 1s', enable: true, payload: '{"job":"refresh"}'}
                    - triggerName: seldom
                      triggerType: timer
                      triggerConfig: {cronExpression: 'CRON_TZ=Asia/Shanghai 0 0 4 1 * *', enable: false, payload: ''}
            """)
        try LocalPlatform.run(options: ["--platform", "fc", "--template", file]) { platform in
            #expect(platform.process.output.contains("timer seldom of token-server, switched off"))
            #expect(wait { occurrences(of: "timer often: RequestId: ", in: platform.process.output) >= 2 })
            let fired = try OneShotHTTP.send("POST", platform.url + "/_event-server/fire?timer=often")
            #expect(fired.status == 200)
            #expect(try fired.json()["refreshed"] == 0)
        }
    }

    @Test(arguments: [
        (
            "Tick: {Type: Schedule, Properties: {Schedule: rate(1 minutes)}}",
            "template.yml:4: Resources.F.Properties.Events.Tick.Properties.Schedule: "
        ),
        ("Tick: [", "template.yml:"),
    ])
    func `a template that cannot be read is one line, and nothing is started`(events: String, beginning: String) throws
    {
        let file = try sam(events)
        let output = try ScratchFolder.make() + "/output"
        let process = try ProcessSession(
            LocalPlatform.products.appending(path: "event-server").path(),
            ["serve", "--function", "scripted", "--bootstrap", "/bin/false", "--port", "0", "--template", file],
            environment: [:], output: output)
        let prefix = "event-server: " + file.dropLast("template.yml".count) + beginning
        #expect(process.waitForLine(beginning: prefix, within: 60), "\(process.output)")
        let end = process.stop()
        #expect(end.status == 2)
    }
}
