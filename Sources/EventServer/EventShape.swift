/// The kinds of event that an HTTP request can be turned into, by the names of the `--shape` option.
package enum EventShape: String, Sendable, CaseIterable {
    /// API Gateway HTTP API, payload 2.0.
    case v2
    /// Lambda Function URL.
    case url
    /// API Gateway REST API, proxy integration.
    case v1
    /// Application Load Balancer, single values.
    case alb
    /// Application Load Balancer with `lambda.multi_value_headers.enabled`.
    case albMulti = "alb-multi"
}
