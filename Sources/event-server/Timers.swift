internal import Clocks
internal import Schedules

/// The timers of the template that `--template` names.
enum Timers {
    /// None without the option.
    ///
    /// - Parameter cloud: the one that is played; each deploys from a format of its own.
    static func read(_ options: Options, of cloud: LocalFunction.Cloud) throws(UsageError) -> [TimerTrigger] {
        guard let file = options.text("template") else { return [] }
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
        return template.timers
    }

    static func announce(_ timers: [TimerTrigger]) {
        let now = SystemClock().now().wall
        for timer in timers {
            let next = timer.isEnabled ? timer.schedule.next(after: now, since: now) : nil
            let when = next.map { "next \($0.iso8601.prefix(19))Z" } ?? (timer.isEnabled ? "never" : "switched off")
            Terminal.print("timer \(timer.name) of \(timer.handler), \(when)")
        }
    }
}
