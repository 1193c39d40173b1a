internal import YAML

/// The timers, lifecycle hooks and health checks in a Serverless Devs file with functions of the component fc3.
///
/// https://github.com/devsapp/fc3/blob/master/src/schema.json
struct ServerlessDevsFile {
    private let root: Node
    private let environment: (String) -> String?

    init(_ root: Node, environment: @escaping (String) -> String?) {
        self.root = root
        self.environment = environment
    }

    func timers() throws(Mistake) -> [TimerTrigger] {
        var timers: [TimerTrigger] = []
        for (id, props, field) in functions {
            for (index, trigger) in (props["triggers"]?.elements ?? []).enumerated()
            where trigger["triggerType"]?.text == "timer" {
                let handler = try handler(of: id, props, field)
                timers.append(try timer(trigger, handler: handler, "\(field).triggers[\(index)]"))
            }
        }
        return timers
    }

    func hooks() throws(Mistake) -> [LifecycleHooks] {
        var hooks: [LifecycleHooks] = []
        for (id, props, field) in functions {
            let life = props["instanceLifecycleConfig"]
            let health = props["customRuntimeConfig"]?["healthCheckConfig"]
            if life == nil, health == nil { continue }
            let inner = field + ".instanceLifecycleConfig"
            hooks.append(
                LifecycleHooks(
                    handler: try handler(of: id, props, field),
                    initializeLimit: try life.flatMap { life throws(Mistake) in
                        try limit(life, "initializer", 1...300, inner)
                    },
                    preStopLimit: try life.flatMap { life throws(Mistake) in try limit(life, "preStop", 1...90, inner)
                    },
                    healthCheck: try health.map { health throws(Mistake) in
                        try healthCheck(health, field + ".customRuntimeConfig.healthCheckConfig")
                    }))
        }
        return hooks
    }

    private var functions: [(id: String, props: Node, field: String)] {
        (root["resources"]?.members ?? []).compactMap { id, resource in
            guard resource["component"]?.text == "fc3", let props = resource["props"] else { return nil }
            return (id, props, "resources.\(id).props")
        }
    }

    private func handler(of id: String, _ props: Node, _ field: String) throws(Mistake) -> String {
        if let handler = try text(props, "handler", field) { return handler.text }
        return try text(props, "functionName", field)?.text ?? id
    }

    /// The time of a hook, the longest that there is where it says none; nil where there is no such hook.
    private func limit(
        _ config: Node, _ name: String, _ range: ClosedRange<Int>, _ field: String
    ) throws(Mistake) -> Duration? {
        guard let hook = config[name] else { return nil }
        return .seconds(try number(hook, "timeout", range, "\(field).\(name)") ?? range.upperBound)
    }

    /// What the schema and the pages of the cloud allow, and what counts where nothing is said.
    private func healthCheck(_ config: Node, _ field: String) throws(Mistake) -> HealthCheck {
        guard let path = try text(config, "httpGetUrl", field), path.text.hasPrefix("/") else {
            throw Mistake(
                "it must be a path, which begins with /", at: config["httpGetUrl"] ?? config, "\(field).httpGetUrl")
        }
        return HealthCheck(
            path: path.text,
            initialDelay: .seconds(try number(config, "initialDelaySeconds", 0...120, field) ?? 0),
            period: .seconds(try number(config, "periodSeconds", 1...120, field) ?? 3),
            timeout: .seconds(try number(config, "timeoutSeconds", 1...3, field) ?? 1),
            failureThreshold: try number(config, "failureThreshold", 1...120, field) ?? 3,
            successThreshold: try number(config, "successThreshold", 1...120, field) ?? 1)
    }

    private func number(
        _ node: Node, _ name: String, _ range: ClosedRange<Int>, _ field: String
    ) throws(Mistake) -> Int? {
        guard let text = try text(node, name, field) else { return nil }
        guard let number = Int(text.text), range.contains(number) else {
            throw Mistake(
                "\(text.text) is no whole number from \(range.lowerBound) to \(range.upperBound)", at: text.node,
                "\(field).\(name)")
        }
        return number
    }

    private func timer(_ trigger: Node, handler: String, _ field: String) throws(Mistake) -> TimerTrigger {
        guard let name = try text(trigger, "triggerName", field) else {
            throw Mistake("it is missing", at: trigger, "\(field).triggerName")
        }
        let inner = "\(field).triggerConfig"
        guard let config = trigger["triggerConfig"], let expression = try text(config, "cronExpression", inner) else {
            throw Mistake("it is missing", at: trigger, "\(inner).cronExpression")
        }
        let schedule = try expression.node.schedule("\(inner).cronExpression") { () throws(ScheduleError) in
            try Schedule.functionCompute(expression.text)
        }
        var isEnabled = true
        if let enable = try text(config, "enable", inner) {
            isEnabled = try enable.node.flag(enable.text, "\(inner).enable")
        }
        return TimerTrigger(
            name: name.text, handler: handler, sender: .functionCompute, schedule: schedule, isEnabled: isEnabled,
            input: try text(config, "payload", inner)?.text)
    }

    /// A member's text, with variables and the environment filled in; nil where there is no such member.
    private func text(_ node: Node, _ key: String, _ field: String) throws(Mistake) -> (node: Node, text: String)? {
        guard let member = node[key] else { return nil }
        guard let text = member.text else { throw Mistake("it is no text", at: member, "\(field).\(key)") }
        let filled = try Placeholders.fill(text) { name throws(Mistake) in
            if name.hasPrefix("vars."), let value = root["vars"]?[String(name.dropFirst(5))]?.text { return value }
            if let match = name.wholeMatch(of: /env\('([A-Za-z0-9_]+)'(?:, *'([^']*)')?\)/) {
                if let value = environment(String(match.1)) ?? match.2.map(String.init) { return value }
                throw Mistake("\(match.1) is not in the environment", at: member, "\(field).\(key)")
            }
            throw Mistake("the local platform cannot work out ${\(name)}", at: member, "\(field).\(key)")
        }
        return (member, filled)
    }
}
