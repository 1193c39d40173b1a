package import HTTP
internal import JSON

/// A recorded call as it is sent again, and what its answer is compared with.
package struct Replay: Sendable {
    package enum Plan: Sendable {
        case send(ClientRequest)
        /// Why it is not sent.
        case skip(String)
    }

    private let recording: Recording

    package init(_ recording: Recording) {
        self.recording = recording
    }

    /// What it is called in the report: the route where it has one.
    package var name: String {
        switch recording.call {
        case .opaque: return "event"
        case .request(_, let method, let target, _, _): return "\(method) \(target)"
        case .event(let event):
            let http = event["requestContext"]?["http"]
            guard let method = http?["method"]?.string ?? event["httpMethod"]?.string,
                let path = event["rawPath"]?.string ?? event["path"]?.string
            else { return "event" }
            return "\(method) \(path)"
        }
    }

    /// - Parameters:
    ///   - url: of a local platform, without a slash at its end.
    ///   - authorization: takes the place of the one that was masked.
    package func plan(url: String, authorization: String?) -> Plan {
        let credentials = ["authorization", "cookie", "cookies", "x-api-key"]
        let hidden = recording.masked.filter { path in
            !path.split(separator: ".").contains { credentials.contains($0.lowercased()) }
        }
        if let first = hidden.first { return .skip("masked: \(first)") }
        var fields = Fields()
        switch recording.call {
        case .opaque: return .skip("the event is no JSON")
        case .event(let event):
            fields[.contentType] = "application/json"
            let body = authorization.map { Replay.filled(event, $0) } ?? event
            return .send(
                ClientRequest(
                    .post, url: url + "/2015-03-31/functions/function/invocations", fields: fields, body: body.encoded))
        case .request(let control, let method, let target, let recorded, let body):
            for (name, value) in recorded {
                // The platform sets the others anew.
                let replaced: [Field.Name] = [.host, .connection, .contentLength, .forwardedFor]
                guard let name = Field.Name(name), !replaced.contains(name), !name.lowercased.hasPrefix("x-fc-") else {
                    continue
                }
                fields.append(name, name == .authorization ? authorization ?? value : value)
            }
            let isInvocation = control == "/invoke"
            let path = isInvocation ? "/2023-03-30/functions/\(recording.function)/invocations" : target
            return .send(
                ClientRequest(Method(rawValue: method), url: url + path, fields: fields, body: Array(body.utf8)))
        }
    }

    /// What came of it, in one word: a status, or the error's type.
    package func outcome(of answer: ClientResponse) -> String {
        guard case .event = recording.call else { return "\(answer.status.code)" }
        let body = try? JSON.Value(parsing: answer.body)
        if let name = Field.Name("x-amz-function-error"), answer.fields[name] != nil {
            return body?["errorType"]?.string ?? "error"
        }
        guard answer.status == .ok else { return "HTTP \(answer.status.code)" }
        return body?["statusCode"]?.number?.integer.map { "\($0)" } ?? "response"
    }

    /// What came of it when it was recorded.
    package var recordedOutcome: String {
        if case .event = recording.call, recording.outcome != "response" { return recording.outcome }
        return recording.status.map { "\($0)" } ?? recording.outcome
    }

    /// The event with another `Authorization`, in whatever form it has fields.
    private static func filled(_ event: JSON.Value, _ authorization: String) -> JSON.Value {
        guard var object = event.object else { return event }
        for name in ["headers", "multiValueHeaders"] {
            guard let fields = object[name]?.object else { continue }
            object[name] = .object(
                Object(
                    fields.members.map { member in
                        guard member.name.lowercased() == "authorization" else { return member }
                        let text = JSON.Value.string(authorization)
                        return (name: member.name, value: member.value.array == nil ? text : .array([text]))
                    }))
        }
        return .object(object)
    }
}
