internal import Clocks
internal import JSON
internal import Tokens

/// A failure as the column `token.failure` keeps it: a JSON object, its durations in milliseconds.
enum FailureText {
    static func encode(_ failure: UpstreamFailure) -> String {
        var object: JSON.Object = [
            "kind": .string(failure.kind.rawValue),
            "class": .string(failure.failureClass.rawValue),
            "detail": .string(failure.detail),
        ]
        object["code"] = failure.code.map { .string($0) }
        object["message"] = failure.message.map { .string($0) }
        object["address"] = failure.address.map { .string($0) }
        object["retry_after"] = failure.retryAfter.map { JSON.Value($0.wholeMilliseconds) }
        if failure.isDaily { object["daily"] = true }
        return JSON.Value.object(object).text
    }

    static func decode(_ text: String) throws(StoreError) -> UpstreamFailure {
        guard let object = (try? JSON.Value(parsing: text.utf8))?.object,
            let kind = object["kind"]?.string.flatMap({ UpstreamFailure.Kind(rawValue: $0) }),
            let failureClass = object["class"]?.string.flatMap({ FailureClass(rawValue: $0) }),
            let detail = object["detail"]?.string
        else { throw .broken("token.failure is not a failure") }
        return UpstreamFailure(
            kind, failureClass, detail: detail, code: object["code"]?.string, message: object["message"]?.string,
            address: object["address"]?.string,
            retryAfter: object["retry_after"]?.number?.integer.map { .milliseconds($0) },
            isDaily: object["daily"]?.bool ?? false)
    }
}
