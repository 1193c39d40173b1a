internal import YAML

/// The schedules in an AWS SAM template.
///
/// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-schedulev2.html
struct SAMTemplate {
    private let root: Node

    init(_ root: Node) {
        self.root = root
    }

    func timers() throws(Mistake) -> [TimerTrigger] {
        var timers: [TimerTrigger] = []
        for (id, resource) in root["Resources"]?.members ?? []
        where resource["Type"]?.text == "AWS::Serverless::Function" {
            let properties = resource["Properties"]
            let handler = properties?["Handler"] ?? root["Globals"]?["Function"]?["Handler"]
            for (name, event) in properties?["Events"]?.members ?? [] {
                let field = "Resources.\(id).Properties.Events.\(name).Properties"
                let type = event["Type"]?.text
                guard type == "Schedule" || type == "ScheduleV2" else { continue }
                let handler = try handler.map { node throws(Mistake) in
                    try text(node, "Resources.\(id).Properties.Handler")
                }
                timers.append(
                    try timer(name, event, isRule: type == "Schedule", handler: handler ?? "", field))
            }
        }
        return timers
    }

    private func timer(
        _ name: String, _ event: Node, isRule: Bool, handler: String, _ field: String
    ) throws(Mistake) -> TimerTrigger {
        let properties = event["Properties"] ?? event
        func value(_ key: String) throws(Mistake) -> (node: Node, text: String)? {
            guard let node = properties[key] else { return nil }
            return (node, try text(node, "\(field).\(key)"))
        }

        for key in ["StartDate", "EndDate"] where properties[key] != nil {
            throw Mistake("the local platform does not know it", at: properties, "\(field).\(key)")
        }
        let key = isRule ? "Schedule" : "ScheduleExpression"
        guard let expression = try value(key) else { throw Mistake("it is missing", at: event, "\(field).\(key)") }
        var zone = TimeZone.utc
        if !isRule, let named = try value("ScheduleExpressionTimezone") {
            do throws(TimeZone.Unknown) {
                zone = try TimeZone(named: named.text)
            } catch {
                throw Mistake("\(error)", at: named.node, "\(field).ScheduleExpressionTimezone")
            }
        }
        let schedule = try expression.node.schedule("\(field).\(key)") { () throws(ScheduleError) in
            try Schedule.aws(expression.text, zone: zone, takesInstant: !isRule)
        }
        var isEnabled = true
        if let state = try value("State") { isEnabled = state.text != "DISABLED" }
        if isRule, let enabled = try value("Enabled") {
            isEnabled = try enabled.node.flag(enabled.text, "\(field).Enabled")
        }
        return TimerTrigger(
            name: name, handler: handler, sender: isRule ? .rule : .scheduler, schedule: schedule,
            isEnabled: isEnabled, input: try value("Input")?.text)
    }

    // MARK: Values

    /// A text, with references to parameters filled in by their defaults.
    private func text(_ node: Node, _ field: String) throws(Mistake) -> String {
        switch (node.tag, node.content) {
        case (nil, .scalar(let text, _)): return text
        case ("!Ref", .scalar(let name, _)): return try parameter(name, node, field)
        case ("!Sub", .scalar(let text, _)): return try substituted(text, node, field)
        case (nil, .mapping(let members)) where members.count == 1:
            if members[0].key == "Ref", let name = members[0].value.text { return try parameter(name, node, field) }
            if members[0].key == "Fn::Sub", let text = members[0].value.text {
                return try substituted(text, node, field)
            }
            throw Mistake("the local platform cannot work out \(members[0].key)", at: node, field)
        default: throw Mistake("the local platform cannot work out \(node.tag ?? "what is no text")", at: node, field)
        }
    }

    private func parameter(_ name: String, _ node: Node, _ field: String) throws(Mistake) -> String {
        switch name {
        case "AWS::Region": return "us-east-1"
        case "AWS::AccountId": return "123456789012"
        case "AWS::Partition": return "aws"
        case "AWS::StackName": return "local"
        default: break
        }
        guard let text = root["Parameters"]?[name]?["Default"]?.text else {
            throw Mistake("\(name) is no parameter with a default", at: node, field)
        }
        return text
    }

    /// `${Name}` is a parameter, `${!Name}` stands for `${Name}` itself.
    private func substituted(_ text: String, _ node: Node, _ field: String) throws(Mistake) -> String {
        try Placeholders.fill(text) { name throws(Mistake) in
            name.hasPrefix("!") ? "${\(name.dropFirst())}" : try parameter(name, node, field)
        }
    }
}

/// `${…}` in texts of templates.
enum Placeholders {
    static func fill(_ text: String, _ value: (String) throws(Mistake) -> String) throws(Mistake) -> String {
        var filled = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${"), let end = rest[start.upperBound...].firstIndex(of: "}") {
            filled += rest[..<start.lowerBound]
            filled += try value(String(rest[start.upperBound..<end]))
            rest = rest[rest.index(after: end)...]
        }
        return filled + rest
    }
}
