package import Clocks
package import HTTP
internal import JSON

/// Turns an HTTP request into the event that AWS would send for it.
///
/// Written from the vendor's pages (API Gateway developer guide, "Lambda proxy integrations"; Lambda developer guide,
/// "Invoking function URLs" and "Using Lambda with ALB"), not from our decoder.
package struct EventEncoder: Sendable {
    package let shape: EventShape
    private let region = "us-east-1"
    private let account = "123456789012"
    private let api = "local0event0server"

    package init(shape: EventShape) {
        self.shape = shape
    }

    /// - Parameters:
    ///   - id: unique for this request.
    ///   - now: when the request came.
    package func event(for request: Request, id: String, now: Timestamp) -> [UInt8] {
        let event: JSON.Value =
            switch shape {
            case .v2, .url: payload2(request, id, now)
            case .v1: payload1(request, id, now)
            case .alb: loadBalancer(request, hasMultipleValues: false)
            case .albMulti: loadBalancer(request, hasMultipleValues: true)
            }
        return event.encoded
    }

    private var domain: String {
        shape == .url ? "\(api).lambda-url.\(region).on.aws" : "\(api).execute-api.\(region).amazonaws.com"
    }

    // MARK: Payload 2.0

    private func payload2(_ request: Request, _ id: String, _ now: Timestamp) -> JSON.Value {
        var event: Object = [
            "version": "2.0", "routeKey": "$default", "rawPath": .string(request.path),
            "rawQueryString": .string(request.query),
        ]
        let cookies = request.fields.values(.cookie).flatMap { $0.split(separator: ";") }
        if !cookies.isEmpty { event["cookies"] = .array(cookies.map { .string(trimmed($0)) }) }
        var headers = joinedFields(request, leavingOut: .cookie)
        headers["x-forwarded-for"] = .string(forwardedFor(request))
        headers["x-forwarded-proto"] = "https"
        headers["x-forwarded-port"] = "443"
        headers["x-amzn-trace-id"] = .string(EventEncoder.trace(id, now))
        event["headers"] = .object(headers)
        let query = decodedQuery(request)
        if !query.isEmpty {
            event["queryStringParameters"] = .object(
                Object(query.map { (name: $0, value: .string($1.joined(separator: ","))) }))
        }
        event["requestContext"] = .object([
            "accountId": .string(shape == .url ? "anonymous" : account), "apiId": .string(api),
            "domainName": .string(domain),
            "domainPrefix": .string(api),
            "http": .object([
                "method": .string(request.method.rawValue), "path": .string(request.path), "protocol": "HTTP/1.1",
                "sourceIp": .string(source(request)), "userAgent": .string(request.fields[.userAgent] ?? ""),
            ]),
            "requestId": .string(id), "routeKey": "$default", "stage": "$default",
            "time": .string(EventTime.commonLog(now)),
            "timeEpoch": JSON.Value(now.milliseconds),
        ])
        add(body: request, to: &event, absentWithoutBody: true)
        return .object(event)
    }

    // MARK: Payload 1.0

    private func payload1(_ request: Request, _ id: String, _ now: Timestamp) -> JSON.Value {
        let path = decodedPath(request)
        var single = Object()
        var multiple = Object()
        for field in request.fields where single[field.name.lowercased] == nil {
            let values = request.fields.values(field.name)
            single[field.name.lowercased] = .string(values.last ?? "")
            multiple[field.name.lowercased] = .array(values.map(JSON.Value.string))
        }
        for (name, value) in [
            ("X-Forwarded-For", forwardedFor(request)), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"),
            ("X-Amzn-Trace-Id", EventEncoder.trace(id, now)),
        ] {
            single[name] = .string(value)
            multiple[name] = [.string(value)]
        }
        let query = decodedQuery(request)
        var event: Object = [
            "resource": "/{proxy+}", "path": .string(path), "httpMethod": .string(request.method.rawValue),
            "headers": .object(single), "multiValueHeaders": .object(multiple),
            "queryStringParameters": nullIfEmpty(query.map { (name: $0, value: .string($1.last ?? "")) }),
            "multiValueQueryStringParameters": nullIfEmpty(
                query.map { (name: $0, value: .array($1.map(JSON.Value.string))) }),
            "pathParameters": .object(["proxy": .string(String(path.drop { $0 == "/" }))]), "stageVariables": nil,
            "requestContext": .object([
                "accountId": .string(account), "apiId": .string(api), "resourceId": "local",
                "resourcePath": "/{proxy+}",
                "path": .string("/prod" + path), "httpMethod": .string(request.method.rawValue), "stage": "prod",
                "protocol": "HTTP/1.1", "requestId": .string(id), "extendedRequestId": .string(id),
                "requestTime": .string(EventTime.commonLog(now)), "requestTimeEpoch": JSON.Value(now.milliseconds),
                "domainName": .string(domain), "domainPrefix": .string(api),
                "identity": .object([
                    "sourceIp": .string(source(request)),
                    "userAgent": request.fields[.userAgent].map(JSON.Value.string) ?? .null,
                    "accessKey": nil, "accountId": nil, "caller": nil, "user": nil, "userArn": nil, "apiKey": nil,
                    "apiKeyId": nil,
                    "clientCert": nil, "cognitoIdentityId": nil, "cognitoIdentityPoolId": nil,
                    "cognitoAuthenticationProvider": nil, "cognitoAuthenticationType": nil, "principalOrgId": nil,
                ]),
                "authorizer": .object([:]),
            ]),
        ]
        add(body: request, to: &event, absentWithoutBody: false)
        return .object(event)
    }

    // MARK: Load balancer

    private func loadBalancer(_ request: Request, hasMultipleValues: Bool) -> JSON.Value {
        var event: Object = [
            "requestContext": .object([
                "elb": .object([
                    "targetGroupArn":
                        .string(
                            "arn:aws:elasticloadbalancing:\(region):\(account):targetgroup/token-server/0123456789abcdef"
                        )
                ])
            ]),
            "httpMethod": .string(request.method.rawValue), "path": .string(request.path),
        ]
        // The load balancer hands query values on as they were sent.
        let query = rawQuery(request)
        var fields = request.fields
        fields[.forwardedFor] = forwardedFor(request)
        let names = uniqueNames(fields)
        if hasMultipleValues {
            event["multiValueQueryStringParameters"] =
                .object(Object(query.map { (name: $0, value: .array($1.map(JSON.Value.string))) }))
            event["multiValueHeaders"] =
                .object(
                    Object(names.map { (name: $0.lowercased, value: .array(fields.values($0).map(JSON.Value.string))) })
                )
        } else {
            event["queryStringParameters"] =
                .object(Object(query.map { (name: $0, value: .string($1.last ?? "")) }))
            event["headers"] =
                .object(Object(names.map { (name: $0.lowercased, value: .string(fields.values($0).last ?? "")) }))
        }
        add(body: request, to: &event, absentWithoutBody: false)
        if request.body.isEmpty { event["body"] = "" }
        return .object(event)
    }

    // MARK: Parts

    private func add(body request: Request, to event: inout Object, absentWithoutBody: Bool) {
        if request.body.isEmpty {
            if !absentWithoutBody { event["body"] = .some(.null) }
            event["isBase64Encoded"] = false
            return
        }
        if isText(request), let text = String(validating: request.body, as: UTF8.self) {
            event["body"] = .string(text)
            event["isBase64Encoded"] = false
        } else {
            event["body"] = .string(Base64Text.encode(request.body))
            event["isBase64Encoded"] = true
        }
    }

    /// A body is text for these types alone: a form, and a body without a type, travel as base64.
    private func isText(_ request: Request) -> Bool {
        guard let type = request.fields[.contentType] else { return false }
        let name = trimmed(type.prefix { $0 != ";" }).lowercased()
        let known = ["application/json", "application/xml", "application/javascript"]
        return name.hasPrefix("text/") || known.contains(name)
    }

    private func joinedFields(_ request: Request, leavingOut left: Field.Name) -> Object {
        var headers = Object()
        for name in uniqueNames(request.fields) where name != left {
            headers[name.lowercased] = .string(request.fields.values(name).joined(separator: ","))
        }
        return headers
    }

    private func uniqueNames(_ fields: Fields) -> [Field.Name] {
        var names: [Field.Name] = []
        for field in fields where !names.contains(field.name) { names.append(field.name) }
        return names
    }

    private func source(_ request: Request) -> String { request.sourceAddress ?? "127.0.0.1" }

    /// A proxy appends the address that it saw.
    private func forwardedFor(_ request: Request) -> String {
        (request.fields.values(.forwardedFor) + [source(request)]).joined(separator: ", ")
    }

    /// The id under which a request is traced (X-Ray).
    static func trace(_ id: String, _ now: Timestamp) -> String {
        "Root=1-\(String(now.milliseconds / 1_000, radix: 16))-\(id.filter { $0 != "-" }.prefix(24))"
    }

    private func rawQuery(_ request: Request) -> [(String, [String])] {
        var list: [(String, [String])] = []
        for pair in request.query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            append(String(parts[0]), parts.count > 1 ? String(parts[1]) : "", to: &list)
        }
        return list
    }

    private func decodedQuery(_ request: Request) -> [(String, [String])] {
        var list: [(String, [String])] = []
        for (name, values) in rawQuery(request) {
            for value in values {
                append(
                    PercentEncoding.decode(name, plusIsSpace: true) ?? name,
                    PercentEncoding.decode(value, plusIsSpace: true) ?? value, to: &list)
            }
        }
        return list
    }

    private func append(_ name: String, _ value: String, to list: inout [(String, [String])]) {
        if let index = list.firstIndex(where: { $0.0 == name }) {
            list[index].1.append(value)
        } else {
            list.append((name, [value]))
        }
    }

    private func decodedPath(_ request: Request) -> String { PercentEncoding.decode(request.path) ?? request.path }

    private func nullIfEmpty(_ members: [(name: String, value: JSON.Value)]) -> JSON.Value {
        members.isEmpty ? .null : .object(Object(members))
    }

    private func trimmed(_ text: some StringProtocol) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
