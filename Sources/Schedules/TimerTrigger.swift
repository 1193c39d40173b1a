/// A timer that a template gives to a function.
package struct TimerTrigger: Sendable {
    /// Who sends its events, which tells their form.
    package enum Sender: Sendable {
        /// A rule of EventBridge (SAM: `Schedule`).
        case rule
        /// EventBridge Scheduler (SAM: `ScheduleV2`).
        case scheduler
        /// The timer trigger of Function Compute.
        case functionCompute
    }

    /// The event's name in a SAM template, the trigger's name in an `s.yaml`.
    package let name: String
    /// The handler of the function that it calls.
    package let handler: String
    package let sender: Sender
    package let schedule: Schedule
    /// A timer that is switched off runs when it is asked to.
    package let isEnabled: Bool
    /// `Input` or `payload` as the template has it.
    package let input: String?

    package init(
        name: String, handler: String, sender: Sender, schedule: Schedule, isEnabled: Bool = true, input: String? = nil
    ) {
        self.name = name
        self.handler = handler
        self.sender = sender
        self.schedule = schedule
        self.isEnabled = isEnabled
        self.input = input
    }
}
