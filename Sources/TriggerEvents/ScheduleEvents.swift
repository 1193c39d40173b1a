internal import HTTP
internal import JSON

/// The shapes in which a schedule arrives.
extension EventReader {
    /// The envelope of EventBridge rules and of EventBridge Scheduler without an input of its own.
    /// https://docs.aws.amazon.com/lambda/latest/dg/services-cloudwatchevents.html
    func schedule() throws(TriggerError) -> Schedule {
        let id = try optionalString("id", at: "id") ?? ""
        guard let detail = optional("detail"), document.kind(detail) == .object else {
            return Schedule(job: nil, id: id)
        }
        return Schedule(job: try optionalString("job", of: detail, at: "detail.job"), id: id)
    }

    /// A rule or schedule with an `Input` delivers that JSON alone: ours is `{"job":"…"}`.
    ///
    /// Its id is the invocation's.
    func ownSchedule() throws(TriggerError) -> Schedule {
        Schedule(job: try string("job", at: "job"), id: try optionalString("id", at: "id") ?? "")
    }
}
