internal import JSON

/// An error as the Runtime API takes it; it keeps a type that contains `(Runtime|Function)\.[A-Z][a-zA-Z]+`.
package struct FunctionError: Sendable, Equatable {
    package let type: String
    package let message: String

    package static func badConfiguration(_ error: StartupError) -> FunctionError {
        FunctionError(type: "Runtime.BadConfiguration", message: "\(error.variable): \(error.message)")
    }

    package static func badEvent(_ message: String) -> FunctionError {
        FunctionError(type: "Runtime.BadEvent", message: message)
    }

    package static let unknownTrigger = FunctionError(
        type: "Runtime.UnknownTrigger", message: "the event is of no trigger that this function knows")
    package static let eventTooLarge = FunctionError(
        type: "Runtime.EventTooLarge", message: "the event is larger than the platform allows")
    package static let responseTooLarge = FunctionError(
        type: "Function.ResponseSizeTooLarge", message: "the platform refused the response for its size")

    package static func scheduleFailed(status: Int) -> FunctionError {
        FunctionError(type: "Function.ScheduleFailed", message: "the scheduled job ended with status \(status)")
    }

    var body: [UInt8] {
        var writer = Writer()
        writer.beginObject()
        writer.name("errorType")
        writer.string(type)
        writer.name("errorMessage")
        writer.string(message)
        writer.name("stackTrace")
        writer.beginArray()
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }
}
