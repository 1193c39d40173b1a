internal import HTTP
internal import JSON

/// The four shapes in which HTTP requests arrive.
extension EventReader {
    /// HTTP API with payload format 2.0, and Function URL.
    /// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    func gatewayV2() throws(TriggerError) -> Request {
        let context = try object("requestContext", at: "requestContext")
        let http = try object("http", of: context, at: "requestContext.http")
        let method = try method(
            string("method", of: http, at: "requestContext.http.method"), at: "requestContext.http.method")
        let stage = try optionalString("stage", of: context, at: "requestContext.stage") ?? "$default"
        let path = try string("rawPath", at: "rawPath")
        let headers = try optionalObject("headers", at: "headers")
        return Request(
            method,
            path: try normalized(PathEncoding.keepEncoded(withoutStage(stage, path)), at: "rawPath"),
            query: PathEncoding.keepEncodedQuery(try optionalString("rawQueryString", at: "rawQueryString") ?? ""),
            fields: try headers.map { map throws(TriggerError) in try singleFields(of: map, at: "headers") }
                ?? Fields(),
            body: try body(.gatewayV2, of: method),
            id: try optionalString("requestId", of: context, at: "requestContext.requestId") ?? "",
            sourceAddress: try optionalString("sourceIp", of: http, at: "requestContext.http.sourceIp"))
    }

    /// REST API proxy integration, and HTTP API with payload format 1.0.
    /// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    func gatewayV1() throws(TriggerError) -> Request {
        let method = try method(string("httpMethod", at: "httpMethod"), at: "httpMethod")
        let context = try optionalObject("requestContext", at: "requestContext")
        let identity = try context.flatMap { context throws(TriggerError) in
            try optionalObject("identity", of: context, at: "requestContext.identity")
        }
        // The gateway has decoded path and parameters: they are encoded again, so that a router splits before it decodes.
        let path = PathEncoding.encodeDecoded(try string("path", at: "path"))
        let query = try parameters().map { PercentEncoding.encode($0.name) + "=" + PercentEncoding.encode($0.value) }
        return Request(
            method,
            path: try normalized(path, at: "path"),
            query: query.joined(separator: "&"),
            fields: try anyFields(),
            body: try body(.gatewayV1, of: method),
            id: try context.flatMap { context throws(TriggerError) in
                try optionalString("requestId", of: context, at: "requestContext.requestId")
            } ?? "",
            sourceAddress: try identity.flatMap { identity throws(TriggerError) in
                try optionalString("sourceIp", of: identity, at: "requestContext.identity.sourceIp")
            })
    }

    /// Application Load Balancer, in the mode of its target group.
    /// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
    func loadBalancer() throws(TriggerError) -> Trigger {
        // The mode shows in which keys are there; the response must be of the same mode.
        let isMultiValue =
            document.member("multiValueHeaders", of: .root) != nil
            || document.member("multiValueQueryStringParameters", of: .root) != nil
        let shape = isMultiValue ? Shape.loadBalancerMultiValue : .loadBalancer
        let method = try method(string("httpMethod", at: "httpMethod"), at: "httpMethod")
        // Names and values arrive as they were sent, still encoded.
        let query = try parameters().map { PathEncoding.keepEncodedQuery($0.name + "=" + $0.value) }
        let request = Request(
            method,
            path: try normalized(PathEncoding.keepEncoded(try string("path", at: "path")), at: "path"),
            query: query.joined(separator: "&"),
            fields: try anyFields(),
            body: try body(shape, of: method))
        return .http(request, shape)
    }

    /// The lists where the event has them, else the single values, of which the platform keeps the last.
    private func anyFields() throws(TriggerError) -> Fields {
        if let map = try optionalObject("multiValueHeaders", at: "multiValueHeaders") {
            return try multiFields(of: map, at: "multiValueHeaders")
        }
        guard let map = try optionalObject("headers", at: "headers") else { return Fields() }
        return try singleFields(of: map, at: "headers")
    }

    private func parameters() throws(TriggerError) -> [(name: String, value: String)] {
        if let map = try optionalObject("multiValueQueryStringParameters", at: "multiValueQueryStringParameters") {
            return try parameters(of: map, at: "multiValueQueryStringParameters")
        }
        guard let map = try optionalObject("queryStringParameters", at: "queryStringParameters") else { return [] }
        return try parameters(of: map, at: "queryStringParameters")
    }

    /// An HTTP API puts the stage in front of the path unless it is `$default`; a Function URL has no other.
    private func withoutStage(_ stage: String, _ path: String) -> String {
        let prefix = "/" + stage
        guard stage != "$default", !stage.isEmpty, path.utf8.starts(with: prefix.utf8) else { return path }
        let rest = path.utf8.dropFirst(prefix.utf8.count)
        return rest.isEmpty || rest.first == UInt8(ascii: "/") ? String(Substring(rest)) : path
    }

    private func normalized(_ path: String, at member: String) throws(TriggerError) -> String {
        if path.isEmpty { return "/" }
        guard path.utf8.first == UInt8(ascii: "/") else { throw .malformed(member: member) }
        return path
    }
}
