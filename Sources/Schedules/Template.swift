internal import YAML

/// A deployment template: the timers, lifecycle hooks and health checks of its functions.
package struct Template: Sendable {
    package enum Format: String, Sendable {
        case sam = "an AWS SAM template"
        case serverlessDevs = "a Serverless Devs file"
    }

    package let format: Format
    package let timers: [TimerTrigger]
    /// Lambda has none.
    package let hooks: [LifecycleHooks]

    /// Reads a template.
    ///
    /// - Parameters:
    ///   - file: its name, for messages.
    ///   - environment: what `${env('NAME')}` stands for.
    package init(
        _ bytes: [UInt8], file: String, environment: @escaping (String) -> String? = { _ in nil }
    ) throws(TemplateError) {
        let root: Node
        do throws(ParseError) {
            root = try Node(parsing: bytes)
        } catch {
            throw TemplateError(file: file, line: error.line, field: "", reason: error.reason)
        }
        do throws(Mistake) {
            if root["Resources"] != nil {
                format = .sam
                timers = try SAMTemplate(root).timers()
                hooks = []
            } else if root["resources"] != nil {
                format = .serverlessDevs
                let file = ServerlessDevsFile(root, environment: environment)
                timers = try file.timers()
                hooks = try file.hooks()
            } else {
                throw Mistake("there are neither Resources (AWS SAM) nor resources (Serverless Devs)", at: root, "")
            }
        } catch {
            throw TemplateError(file: file, line: error.line, field: error.field, reason: error.reason)
        }
    }
}

/// What in which file cannot be read, in one line.
package struct TemplateError: Error, Equatable, Sendable, CustomStringConvertible {
    package let file: String
    package let line: Int
    /// The way from the document's root to it; empty for the document itself.
    package let field: String
    package let reason: String

    package var description: String { "\(file):\(line): \(field.isEmpty ? "" : field + ": ")\(reason)" }
}

/// A mistake in a template whose name is not known here.
struct Mistake: Error {
    let line: Int
    let field: String
    let reason: String

    init(_ reason: String, at node: Node, _ field: String) {
        line = node.line
        self.field = field
        self.reason = reason
    }
}

extension Node {
    /// Reads a schedule and says where it stands when it is none.
    func schedule(
        _ field: String, _ read: () throws(ScheduleError) -> Schedule
    ) throws(Mistake) -> Schedule {
        do throws(ScheduleError) {
            return try read()
        } catch {
            throw Mistake(error.description, at: self, field)
        }
    }

    /// A boolean of YAML 1.1.
    func flag(_ text: String, _ field: String) throws(Mistake) -> Bool {
        switch text.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default: throw Mistake("\(text) is neither true nor false", at: self, field)
        }
    }
}
