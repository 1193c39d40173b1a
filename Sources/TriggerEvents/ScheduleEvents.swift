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

    /// Alibaba Function Compute's timer: the payload is text, ours JSON, and may be empty.
    /// https://www.alibabacloud.com/help/en/functioncompute/fc-3-0/user-guide/time-triggers
    func timer() throws(TriggerError) -> Schedule {
        guard let payload = try optionalString("payload", at: "payload"), !payload.isEmpty else {
            return Schedule(job: nil, id: "")
        }
        guard let object = (try? JSON.Value(parsing: payload.utf8))?.object else { throw .malformed(member: "payload") }
        switch object["job"] {
        case nil, .null?: return Schedule(job: nil, id: "")
        case .string(let job)?: return Schedule(job: job, id: "")
        default: throw .malformed(member: "payload.job")
        }
    }
}
