internal import HTTP
internal import JSON

/// What each front of the cloud answers when it has no answer of the function to give.
struct CloudFailure {
    let shape: EventShape

    /// A load balancer takes and gives a megabyte at most (Elastic Load Balancing, "Lambda functions as targets").
    static let loadBalancerLimit = 1 << 20

    var isLoadBalancer: Bool { shape == .alb || shape == .albMulti }

    /// For an answer of the wrong shape and for a function's error; the reason, which the cloud keeps to itself, stands in a field.
    ///
    /// API Gateway: https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html
    func badGateway(_ reason: String) -> Response {
        var response: Response
        switch shape {
        case .v1, .v2: response = Response(.badGateway, json: ["message": "Internal server error"])
        case .url:
            response = Response(.badGateway, body: Array("Internal Server Error".utf8))
            response.fields[.contentType] = "text/plain"
        case .alb, .albMulti: response = page(.badGateway, "502 Bad Gateway")
        }
        if let name = Field.Name("x-event-server-error") { response.fields.append(name, reason) }
        return response
    }

    /// For a request that makes no event.
    var tooLarge: Response {
        isLoadBalancer
            ? page(.contentTooLarge, "413 Request Entity Too Large")
            : Response(.contentTooLarge, json: ["message": "Request Too Long"])
    }

    private func page(_ status: Status, _ title: String) -> Response {
        let text =
            "<html>\r\n<head><title>\(title)</title></head>\r\n<body>\r\n<center><h1>\(title)</h1></center>\r\n"
            + "</body>\r\n</html>\r\n"
        var response = Response(status, body: Array(text.utf8))
        response.fields[.contentType] = "text/html"
        return response
    }
}
