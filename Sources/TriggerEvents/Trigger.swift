package import HTTP
package import JSON

/// What an event asks for.
///
/// After the decoder nobody knows which trigger brought it.
package enum Trigger: Sendable {
    case http(Request, Shape)
    case schedule(Schedule)
}

/// How the trigger of a request wants its response written.
package enum Shape: Sendable, Hashable, CaseIterable {
    /// REST API proxy integration, and HTTP API with payload format 1.0.
    case gatewayV1
    /// HTTP API with payload format 2.0, and Function URL.
    case gatewayV2
    /// Application Load Balancer.
    case loadBalancer
    /// Application Load Balancer whose target group has `lambda.multi_value_headers.enabled`.
    case loadBalancerMultiValue
}

/// Why an event cannot be turned into work.
///
/// None of these shows a value out of the event.
package enum TriggerError: Error, Sendable, Equatable {
    /// The bytes are no JSON text.
    case notJSON(ParseError)
    /// JSON, and no event of a trigger known here.
    case notATrigger
    /// A known trigger whose member, named by its path, is missing or of another type.
    case malformed(member: String)
    /// A request that says its body is base64, and it is not: the caller gets a 400 in this shape.
    case bodyNotBase64(Shape, Method)
}
