import Clocks
import EventServer
import Foundation
import JSON
import Schedules
import Testing
import YAML

/// The timers in deployment templates, and the events that they send.
@Suite struct TemplateTests {
    private let now = Timestamp(milliseconds: 1_767_225_600_000)

    private func template(_ text: String, environment: [String: String] = [:]) throws -> Template {
        try Template(Array(text.utf8), file: "template.yml") { environment[$0] }
    }

    private func file(_ name: String) throws -> Template {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        return try Template(Array(Data(contentsOf: root.appending(path: name))), file: name) { _ in "set" }
    }

    private func event(_ timer: TimerTrigger) throws -> JSON.Value {
        try JSON.Value(parsing: TimerEvent.bytes(for: timer, due: now, id: "id-1"))
    }

    private static let sam = """
        Parameters: {Minutes: {Type: Number, Default: 5}, None: {Type: String}}
        Globals: {Function: {Handler: shared}}
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties:
              Role: !GetAtt R.Arn
              Other: !If [C, !Ref A, !Ref AWS::NoValue]
              Events:
                Web: {Type: HttpApi}
                Tick: {Type: Schedule, Properties: {Schedule: EXPRESSION, Enabled: false}}
                Tock: {Type: ScheduleV2, Properties: {ScheduleExpression: cron(0 8 * * ? *), ScheduleExpressionTimezone: Asia/Shanghai}}
        """

    @Test func `both templates of this project have the refresh once a minute`() throws {
        for (name, format) in [("template.yml", Template.Format.sam), ("s.yaml", .serverlessDevs)] {
            let template = try file(name)
            #expect(template.format == format)
            let timer = try #require(template.timers.first { $0.name.lowercased() == "refresh" })
            #expect(timer.handler == "token-server")
            #expect(timer.isEnabled)
            #expect(timer.schedule.next(after: now, since: now) == now + .seconds(60))
            #expect(timer.input == #"{"job":"refresh"}"#)
        }
    }

    @Test func `the file of Function Compute gives each function its hooks`() throws {
        #expect(
            try file("s.yaml").hooks == [
                LifecycleHooks(
                    handler: "token-server", preStopLimit: .seconds(12), healthCheck: HealthCheck(path: "/healthz")),
                LifecycleHooks(handler: "token-server-cache", preStopLimit: .seconds(14)),
            ])
        #expect(try file("template.yml").hooks.isEmpty)
        let text = """
            vars: {limit: 20}
            resources:
              a: {component: fc3, props: {functionName: f, instanceLifecycleConfig: {initializer: {timeout: "${vars.limit}"}, preStop: {}}}}
              b: {component: fc3, props: {functionName: g}}
            """
        #expect(
            try template(text).hooks == [
                LifecycleHooks(handler: "f", initializeLimit: .seconds(20), preStopLimit: .seconds(90))
            ])
        for limit in ["301", "0", "x"] {
            let error = #expect(throws: TemplateError.self) { try template(text.replacing("20", with: limit)) }
            #expect(error?.field == "resources.a.props.instanceLifecycleConfig.initializer.timeout")
            #expect(error?.line == 3)
        }
    }

    @Test func `both templates hand on what each function needs, and no secret of the server to the cache`() throws {
        func node(_ file: String) throws -> Node {
            let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
            return try Node(parsing: Array(Data(contentsOf: root.appending(path: file))))
        }
        let sam = try #require(try node("template.yml")["Resources"]?.members)
        let fc = try #require(try node("s.yaml")["resources"]?.members)
        let functions =
            sam.filter { $0.value["Type"]?.text == "AWS::Serverless::Function" }.map { resource in
                let properties = resource.value["Properties"]
                return (properties?["Handler"]?.text, properties?["Environment"]?["Variables"])
            } + fc.map { ($0.value["props"]?["handler"]?.text, $0.value["props"]?["environmentVariables"]) }
        #expect(functions.count == 4)
        for (handler, variables) in functions {
            let names = Set(try #require(variables?.members).map(\.key))
            let secrets: Set = ["DATABASE_URL", "ADMIN_KEY_SHA256", "MASTER_KEYS"]
            let others: Set = ["UPSTREAM_ALLOW", "TRUSTED_PROXIES", "LOG_LEVEL"]
            let needed = handler == "token-server" ? secrets.union(others) : ["TOKEN_SERVER_URL", "LOG_LEVEL"]
            #expect(names.isSuperset(of: needed), "\(needed.subtracting(names))")
            if handler != "token-server" { #expect(names.isDisjoint(with: secrets)) }
        }
    }

    @Test func `references are filled in by parameters' defaults`() throws {
        let text = Self.sam.replacing("EXPRESSION", with: #"!Sub "rate(${Minutes} minutes)""#)
        let timers = try template(text).timers
        #expect(timers.map(\.name) == ["Tick", "Tock"])
        #expect(timers.map(\.handler) == ["shared", "shared"])
        #expect(timers.map(\.isEnabled) == [false, true])
        #expect(timers[0].schedule.next(after: now, since: now) == now + .seconds(300))
        // 2026-01-01T00:00:00Z is eight in the morning there.
        #expect(timers[1].schedule.next(after: now, since: now) == now + .seconds(86_400))
    }

    @Test(arguments: [
        ("rate(1 minutes)", "rate(1 minutes) has no unit"), ("!Ref None", "None is no parameter with a default"),
        ("!If [A, b, c]", "cannot work out !If"), ("{\"Fn::Join\": ['', [a]]}", "cannot work out Fn::Join"),
    ])
    func `a schedule that cannot be read is told with file, line and field`(expression: String, reason: String) throws {
        let text = Self.sam.replacing("EXPRESSION", with: expression)
        let error = #expect(throws: TemplateError.self) { try template(text) }
        let line = try #require(error?.description)
        #expect(line.hasPrefix("template.yml:11: Resources.F.Properties.Events.Tick.Properties.Schedule: "), "\(line)")
        #expect(line.contains(reason), "\(line)")
    }

    @Test func `an s.yaml's variables and environment are filled in`() throws {
        let text = """
            vars: {every: 90s}
            resources:
              f:
                component: fc3
                props:
                  functionName: ${env('NAME', 'named')}
                  triggers:
                    - {triggerName: a, triggerType: timer, triggerConfig: {cronExpression: '@every ${vars.every}', enable: true}}
                    - {triggerName: b, triggerType: timer, triggerConfig: {cronExpression: "${env('CRON')}", enable: false}}
                    - {triggerName: web, triggerType: http, triggerConfig: {}}
            """
        let timers = try template(text, environment: ["CRON": "0 0 4 * * *"]).timers
        #expect(timers.map(\.name) == ["a", "b"])
        #expect(timers.map(\.handler) == ["named", "named"])
        #expect(timers.map(\.isEnabled) == [true, false])
        let error = #expect(throws: TemplateError.self) { try template(text) }
        #expect(
            error?.description
                == "template.yml:9: resources.f.props.triggers[1].triggerConfig.cronExpression: CRON is not in the environment"
        )
    }

    @Test func `a health check has the cloud's own numbers where it says none`() throws {
        func check(_ config: String) throws -> HealthCheck? {
            let text = """
                resources:
                  a: {component: fc3, props: {functionName: f, customRuntimeConfig: {port: 9000, healthCheckConfig: \(config)}}}
                """
            return try template(text).hooks.first?.healthCheck
        }
        #expect(
            try check("{httpGetUrl: /h}")
                == HealthCheck(
                    path: "/h", initialDelay: .zero, period: .seconds(3), timeout: .seconds(1), failureThreshold: 3,
                    successThreshold: 1))
        let full =
            "initialDelaySeconds: 120, periodSeconds: 120, timeoutSeconds: 3, failureThreshold: 120, successThreshold: 120"
        #expect(
            try check("{httpGetUrl: /h, \(full)}")
                == HealthCheck(
                    path: "/h", initialDelay: .seconds(120), period: .seconds(120), timeout: .seconds(3),
                    failureThreshold: 120, successThreshold: 120))
        for (config, field) in [
            ("{}", "httpGetUrl"), ("{httpGetUrl: h}", "httpGetUrl"),
            ("{httpGetUrl: /h, initialDelaySeconds: 121}", "initialDelaySeconds"),
            ("{httpGetUrl: /h, periodSeconds: 0}", "periodSeconds"),
            ("{httpGetUrl: /h, timeoutSeconds: 4}", "timeoutSeconds"),
            ("{httpGetUrl: /h, failureThreshold: x}", "failureThreshold"),
            ("{httpGetUrl: /h, successThreshold: 0}", "successThreshold"),
        ] {
            let error = #expect(throws: TemplateError.self) { try check(config) }
            #expect(error?.field == "resources.a.props.customRuntimeConfig.healthCheckConfig.\(field)")
        }
    }

    @Test(arguments: ["a: 1", "Resources: [", ""]) func `what is no template is one line`(text: String) {
        let error = #expect(throws: TemplateError.self) { try template(text) }
        #expect(error?.description.hasPrefix("template.yml:") == true)
    }

    @Test func `each sender has its own form of event`() throws {
        func timer(_ sender: TimerTrigger.Sender, _ input: String?) -> TimerTrigger {
            TimerTrigger(name: "tick", handler: "f", sender: sender, schedule: .every(.seconds(60)), input: input)
        }
        let rule = try event(timer(.rule, nil))
        #expect(rule["detail-type"] == "Scheduled Event")
        #expect(rule["source"] == "aws.events")
        #expect(rule["time"] == "2026-01-01T00:00:00Z")
        #expect(rule["detail"] == [:])
        #expect(try event(timer(.scheduler, nil))["detail"] == "{}")
        #expect(try event(timer(.rule, #"{"job":"x"}"#)) == ["job": "x"])
        #expect(
            try event(timer(.scheduler, #"{"at":"<aws.scheduler.scheduled-time>"}"#)) == ["at": "2026-01-01T00:00:00Z"])
        #expect(
            try event(timer(.functionCompute, #"{"job":"x"}"#))
                == ["triggerTime": "2026-01-01T00:00:00Z", "triggerName": "tick", "payload": #"{"job":"x"}"#])
        #expect(try event(timer(.functionCompute, nil))["payload"] == "")
    }

    @Test func `timers that are due are taken once, and what was missed is sent once`() throws {
        let every = TimerTrigger(name: "e", handler: "f", sender: .rule, schedule: .every(.seconds(60)))
        let off = TimerTrigger(name: "o", handler: "f", sender: .rule, schedule: .every(.seconds(1)), isEnabled: false)
        let once = TimerTrigger(
            name: "1", handler: "f", sender: .scheduler,
            schedule: try .aws("at(2026-01-01T00:00:30)", takesInstant: true))
        var due = DueTimers([every, off, once], start: now)
        #expect(due.earliest == now + .seconds(30))
        #expect(due.take(at: now + .seconds(29)).isEmpty)
        #expect(due.take(at: now + .seconds(30)).map(\.timer.name) == ["1"])
        #expect(due.earliest == now + .seconds(60))
        let late = due.take(at: now + .seconds(600))
        #expect(late.map(\.timer.name) == ["e"])
        #expect(late.map(\.due) == [now + .seconds(60)])
        #expect(due.earliest == now + .seconds(660))
    }
}
