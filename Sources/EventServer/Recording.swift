package import Clocks
package import HTTP
package import JSON

/// One line of a record: what went to a function, and what it answered, with nothing secret in clear.
package struct Recording: Sendable {
    /// What went to the function.
    package enum Call: Sendable {
        /// An event of Lambda.
        case event(JSON.Value)
        /// An event that is no JSON document; it cannot be sent again.
        case opaque
        /// A request of Function Compute; `control` is what the platform says it is.
        case request(
            control: String, method: String, target: String, fields: [(name: String, value: String)], body: String)
    }

    package let at: String
    package let function: String
    package let id: String
    package let call: Call
    /// The status that the function answered with; nil for an answer that has none.
    package let status: Int?
    /// `response`, or the type of the error.
    package let outcome: String
    /// The ways to what is masked in the call.
    package let masked: [String]
    private let response: JSON.Value

    package init(event: [UInt8], id: String, function: String, at: Timestamp, result: InvocationResult) {
        self.at = at.iso8601
        self.function = function
        self.id = id
        var masking = Masking()
        if let value = try? JSON.Value(parsing: event) {
            call = .event(masking.value(value, at: "event"))
        } else {
            call = .opaque
        }
        masked = masking.masked
        switch result {
        case .response(let bytes):
            let value = try? JSON.Value(parsing: bytes)
            outcome = "response"
            status = value?["statusCode"]?.number?.integer.flatMap { Int(exactly: $0) }
            response = value.map { masking.value($0, at: "response") } ?? .string(Masking.mark)
        case .functionError(let type, let body):
            let value = try? JSON.Value(parsing: body)
            // What the caller of the raw invoke route sees, which is how a replay calls it.
            outcome = value?["errorType"]?.string ?? type
            status = nil
            response = value.map { masking.value($0, at: "response") } ?? .string(Masking.mark)
        case .platformError(let error):
            outcome = error.kind.rawValue
            status = nil
            response = .null
        }
    }

    /// - Parameters:
    ///   - outcome: `response`, or how the platform calls what went wrong.
    package init(
        request: Request, control: String, id: String, function: String, at: Timestamp, answer: Response,
        outcome: String
    ) {
        self.at = at.iso8601
        self.function = function
        self.id = id
        var masking = Masking()
        let query = request.query.isEmpty ? "" : "?" + masking.query(request.query, at: "request.query")
        call = .request(
            control: control, method: request.method.rawValue, target: request.path + query,
            fields: masking.fields(request.fields, at: "request.fields"),
            body: masking.body(String(decoding: request.body, as: UTF8.self), at: "request.body"))
        masked = masking.masked
        self.outcome = outcome
        status = answer.status.code
        response = [
            "fields": Recording.list(masking.fields(answer.fields, at: "response.fields")),
            "body": .string(masking.body(String(decoding: answer.body, as: UTF8.self), at: "response.body")),
        ]
    }

    private static func list(_ fields: [(name: String, value: String)]) -> JSON.Value {
        .array(fields.map { [.string($0.name), .string($0.value)] })
    }

    // MARK: Lines

    package var line: JSON.Value {
        var object: Object = ["at": .string(at), "function": .string(function), "request_id": .string(id)]
        switch call {
        case .event(let event): object["event"] = event
        case .opaque: object["event"] = .string(Masking.mark)
        case .request(let control, let method, let target, let fields, let body):
            object["request"] = [
                "control": .string(control), "method": .string(method), "target": .string(target),
                "fields": Recording.list(fields), "body": .string(body),
            ]
        }
        object["outcome"] = .string(outcome)
        object["status"] = status.map { JSON.Value(Int64($0)) } ?? .null
        object["response"] = response
        object["masked"] = .array(masked.map(JSON.Value.string))
        return .object(object)
    }

    /// Reads a line; nil for what is none.
    package init?(line: some Sequence<UInt8>) {
        guard let object = try? JSON.Value(parsing: line), let outcome = object["outcome"]?.string,
            let masked = object["masked"]?.array
        else { return nil }
        if let event = object["event"] {
            if case .string = event { call = .opaque } else { call = .event(event) }
        } else if let request = object["request"], let control = request["control"]?.string,
            let method = request["method"]?.string, let target = request["target"]?.string,
            let fields = request["fields"]?.array, let body = request["body"]?.string
        {
            let pairs = fields.compactMap { field -> (name: String, value: String)? in
                guard let pair = field.array, pair.count == 2, let name = pair[0].string, let value = pair[1].string
                else { return nil }
                return (name, value)
            }
            call = .request(control: control, method: method, target: target, fields: pairs, body: body)
        } else {
            return nil
        }
        self.outcome = outcome
        self.masked = masked.compactMap(\.string)
        at = object["at"]?.string ?? ""
        function = object["function"]?.string ?? ""
        id = object["request_id"]?.string ?? ""
        status = object["status"]?.number?.integer.flatMap { Int(exactly: $0) }
        response = object["response"] ?? .null
    }
}

extension Masking {
    fileprivate mutating func fields(_ fields: Fields, at path: String) -> [(name: String, value: String)] {
        fields.map { field in
            let name = field.name.lowercased
            guard Masking.isSecret(name) else { return (name, field.value) }
            masked(at: "\(path).\(name)")
            return (name, Masking.mark)
        }
    }
}
