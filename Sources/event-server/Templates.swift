internal import Clocks
internal import EventServer
internal import Schedules

/// The template that `--template` names.
enum Templates {
    /// Nil without the option.
    ///
    /// - Parameter cloud: the one that is played; each deploys from a format of its own.
    static func read(_ options: Options, of cloud: LocalFunction.Cloud) throws(UsageError) -> Template? {
        guard let file = options.text("template") else { return nil }
        guard let bytes = WholeFile.read(Serve.absolute(file)) else {
            throw UsageError("--template \(file) cannot be read")
        }
        let template: Template
        do throws(TemplateError) {
            template = try Template(bytes, file: file) { Environment[$0] }
        } catch {
            throw UsageError("\(error)")
        }
        let format: Template.Format
        switch cloud {
        case .lambda: format = .sam
        case .compute: format = .serverlessDevs
        }
        guard template.format == format else {
            throw UsageError(
                "--template \(file) is \(template.format.rawValue), and this platform takes \(format.rawValue)")
        }
        return template
    }

    /// One line for each timer of these functions.
    static func announce(_ template: Template?, _ functions: String...) {
        let now = SystemClock().now().wall
        for timer in template?.timers ?? [] where functions.contains(timer.handler) {
            let next = timer.isEnabled ? timer.schedule.next(after: now, since: now) : nil
            let when = next.map { "next \($0.iso8601.prefix(19))Z" } ?? (timer.isEnabled ? "never" : "switched off")
            Terminal.print("timer \(timer.name) of \(timer.handler), \(when)")
        }
    }
}

extension Template {
    /// The settings with what the template says of the function; an option counts more.
    func applied(to settings: PlatformSettings) -> PlatformSettings {
        var settings = settings
        settings.timers = timers.filter { $0.handler == settings.functionName }
        if let hooks = hooks.first(where: { $0.handler == settings.functionName }) {
            settings.initializeLimit = settings.initializeLimit ?? hooks.initializeLimit
            settings.preStopLimit = settings.preStopLimit ?? hooks.preStopLimit
            settings.healthCheck = hooks.healthCheck
        }
        return settings
    }
}
