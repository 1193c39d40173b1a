package import Clocks
internal import JSON
package import Schedules

/// The events that schedules and timers send.
package enum TimerEvent {
    private static let account = "123456789012"
    private static let region = "us-east-1"

    /// - Parameters:
    ///   - due: when the timer was to run.
    ///   - id: the event's own; Function Compute's has none.
    package static func bytes(for timer: TimerTrigger, due: Timestamp, id: String) -> [UInt8] {
        let time = "\(due.iso8601.prefix(19))Z"
        switch timer.sender {
        case .functionCompute:
            // https://www.alibabacloud.com/help/en/functioncompute/fc/user-guide/time-triggers
            let event: JSON.Value = [
                "triggerTime": .string(time), "triggerName": .string(timer.name),
                "payload": .string(timer.input ?? ""),
            ]
            return event.encoded
        case .rule:
            // With an input the function gets that alone.
            if let input = timer.input { return Array(input.utf8) }
            let arn = "arn:aws:events:\(region):\(account):rule/\(timer.name)"
            return envelope(id: id, source: "aws.events", time: time, arn: arn, detail: .object([:]))
        case .scheduler:
            let arn = "arn:aws:scheduler:\(region):\(account):schedule/default/\(timer.name)"
            guard let input = timer.input else {
                // The scheduler's detail is text (github.com/aws/aws-lambda-go/issues/563).
                return envelope(id: id, source: "aws.scheduler", time: time, arn: arn, detail: "{}")
            }
            return Array(filled(input, id: id, time: time, arn: arn).utf8)
        }
    }

    // https://docs.aws.amazon.com/lambda/latest/dg/services-cloudwatchevents.html
    private static func envelope(
        id: String, source: String, time: String, arn: String, detail: JSON.Value
    ) -> [UInt8] {
        let event: JSON.Value = [
            "version": "0", "id": .string(id), "detail-type": "Scheduled Event", "source": .string(source),
            "account": .string(account), "time": .string(time), "region": .string(region),
            "resources": [.string(arn)], "detail": detail,
        ]
        return event.encoded
    }

    // https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    private static func filled(_ input: String, id: String, time: String, arn: String) -> String {
        var text = input
        for (name, value) in [
            ("schedule-arn", arn), ("scheduled-time", time), ("execution-id", id), ("attempt-number", "1"),
        ] {
            text = text.replacing("<aws.scheduler.\(name)>", with: value)
        }
        return text
    }
}
