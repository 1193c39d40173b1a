internal import YAML

/// The timers in a Serverless Devs file with functions of the component fc3.
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
        for (id, resource) in root["resources"]?.members ?? [] where resource["component"]?.text == "fc3" {
            guard let props = resource["props"] else { continue }
            let field = "resources.\(id).props"
            for (index, trigger) in (props["triggers"]?.elements ?? []).enumerated()
            where trigger["triggerType"]?.text == "timer" {
                var handler = try text(props, "handler", field)
                if handler == nil { handler = try text(props, "functionName", field) }
                timers.append(
                    try timer(trigger, handler: handler?.text ?? id, "\(field).triggers[\(index)]"))
            }
        }
        return timers
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
