internal import HTTP
internal import JSON
internal import Schedules

/// `POST /_event-server/fire[?timer=NAME]`: a timer of the template, now; a body takes the place of its input.
enum FireRoute {
    static let path = "/_event-server/fire"

    enum Verdict {
        case timer(TimerTrigger)
        case refused(Response)
    }

    /// The timer that is meant: the one that is named, or the only one there is.
    ///
    /// - Parameter sender: who sends the refresh that can be fired where there is no template.
    static func timer(_ request: Request, of settings: PlatformSettings, sender: TimerTrigger.Sender) -> Verdict {
        guard request.method == .post else {
            var response = Response(.methodNotAllowed, json: ["message": "POST it"])
            response.fields[.allow] = "POST"
            return .refused(response)
        }
        var timers = settings.timers
        if timers.isEmpty {
            timers.append(
                TimerTrigger(
                    name: "refresh", handler: settings.functionName, sender: sender, schedule: .every(.seconds(60)),
                    input: #"{"job":"refresh"}"#))
        }
        let names = timers.map(\.name).joined(separator: ", ")
        guard let wanted = QueryString(parsing: request.query)?.values("timer"), wanted.count <= 1 else {
            return .refused(Response(.badRequest, json: ["message": "?timer=NAME is not readable"]))
        }
        if wanted.isEmpty, timers.count > 1 {
            return .refused(Response(.badRequest, json: ["message": .string("say which by ?timer=: \(names)")]))
        }
        guard let timer = wanted.isEmpty ? timers.first : timers.first(where: { $0.name == wanted[0] }) else {
            return .refused(Response(.notFound, json: ["message": .string("no such timer; there is \(names)")]))
        }
        guard !request.body.isEmpty else { return .timer(timer) }
        return .timer(
            TimerTrigger(
                name: timer.name, handler: timer.handler, sender: timer.sender, schedule: timer.schedule,
                isEnabled: timer.isEnabled, input: String(decoding: request.body, as: UTF8.self)))
    }
}
