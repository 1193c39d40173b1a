import Clocks
import EventServer
import HTTP
import JSON
import Testing
import TriggerEvents

/// The platform's encoder, read by hand and by the function's decoder: each was written from the vendor's pages alone.
@Suite struct EventEncoderTests {
    private let now = Timestamp(milliseconds: 1_583_348_638_390)

    private func request(
        _ method: HTTP.Method = .post, body: [UInt8] = Array("{}".utf8), type: String? = "application/json"
    ) -> Request {
        var fields = Fields()
        fields.append(.host, "127.0.0.1:8080")
        fields.append(.accept, "a/b")
        fields.append(.accept, "c/d")
        fields.append(.cookie, "a=1; b=2")
        fields.append(.authorization, "Bearer k")
        if let type { fields.append(.contentType, type) }
        return Request(
            method, path: "/api/secret/wx/a%20b", query: "x=1&x=2&y=b%20c&z", fields: fields, body: body,
            sourceAddress: "127.0.0.1")
    }

    private func event(_ shape: EventShape, _ request: Request, id: String = "id-1") throws -> JSON.Value {
        try JSON.Value(parsing: EventEncoder(shape: shape).event(for: request, id: id, now: now))
    }

    @Test func `payload 2 is as the pages show it`() throws {
        let event = try event(.v2, request())
        #expect(event["version"] == "2.0")
        #expect(event["rawPath"] == "/api/secret/wx/a%20b")
        #expect(event["rawQueryString"] == "x=1&x=2&y=b%20c&z")
        #expect(event["cookies"] == ["a=1", "b=2"])
        #expect(event["headers"]?["accept"] == "a/b,c/d")
        #expect(event["headers"]?["cookie"] == nil)
        #expect(event["headers"]?["x-forwarded-for"] == "127.0.0.1")
        #expect(event["queryStringParameters"] == ["x": "1,2", "y": "b c", "z": ""])
        let context = event["requestContext"]
        #expect(context?["http"]?["protocol"] == "HTTP/1.1")
        #expect(context?["time"] == "04/Mar/2020:19:03:58 +0000")
        #expect(context?["accountId"] == "123456789012")
        #expect(event["body"] == "{}")
        #expect(event["isBase64Encoded"] == false)
    }

    @Test func `what is empty is absent in payload 2 and null in payload 1`() throws {
        let bare = Request(.get, path: "/")
        let two = try event(.v2, bare)
        for name in ["cookies", "queryStringParameters", "body"] { #expect(two[name] == nil) }
        let one = try event(.v1, bare)
        for name in ["queryStringParameters", "multiValueQueryStringParameters", "body", "stageVariables"] {
            #expect(one[name] == .null)
        }
    }

    @Test func `SAM: every event has its own id and time, in milliseconds`() throws {
        let first = try event(.v2, request(), id: "a")
        let later = EventEncoder(shape: .v2).event(for: request(), id: "b", now: now + .seconds(1))
        let second = try JSON.Value(parsing: later)
        #expect(first["requestContext"]?["requestId"] == "a")
        #expect(second["requestContext"]?["requestId"] == "b")
        #expect(first["requestContext"]?["timeEpoch"] == 1_583_348_638_390)
        #expect(second["requestContext"]?["timeEpoch"] == 1_583_348_639_390)
    }

    @Test func `cargo lambda: account, API and address are told`() throws {
        let context = try event(.url, request())["requestContext"]
        #expect(context?["accountId"] == "anonymous")
        #expect(context?["apiId"]?.string?.isEmpty == false)
        #expect(context?["domainName"]?.string?.hasSuffix(".lambda-url.us-east-1.on.aws") == true)
        #expect(context?["http"]?["sourceIp"] == "127.0.0.1")
    }

    @Test(arguments: [
        ("application/json", false), ("application/json; charset=utf-8", false), ("text/plain", false),
        ("application/xml", false),
        ("application/javascript", false), ("application/x-www-form-urlencoded", true),
        ("application/octet-stream", true),
        ("image/png", true), (nil, true),
    ])
    func `LocalStack: a body is base64 by its type alone`(type: String?, isEncoded: Bool) throws {
        for shape in [EventShape.v2, .url, .v1] {
            let event = try event(shape, request(body: Array("hello".utf8), type: type))
            #expect(event["isBase64Encoded"] == .bool(isEncoded))
            #expect(event["body"] == (isEncoded ? "aGVsbG8=" : "hello"))
        }
    }

    @Test(arguments: EventShape.allCases) func `the function reads what the platform wrote`(shape: EventShape) throws {
        for body in [Array("{}".utf8), [0xFF, 0x00], []] {
            let sent = request(body: body, type: body == [0xFF, 0x00] ? "image/png" : "application/json")
            var decoder = EventDecoder()
            let bytes = EventEncoder(shape: shape).event(for: sent, id: "id-1", now: now)
            guard case .http(let read, _) = try decoder.decode(bytes) else {
                Issue.record("not a request")
                continue
            }
            #expect(read.method == sent.method)
            #expect(read.path == sent.path)
            #expect(read.body == sent.body)
            #expect(read.fields[.authorization] == "Bearer k")
            // A load balancer in single-value mode keeps the last of a repeated parameter.
            let x = shape == .alb ? ["2"] : ["1", "2"]
            #expect(QueryString(parsing: read.query)?.values("x") == x)
            #expect(QueryString(parsing: read.query)?.values("y") == ["b c"])
        }
    }

    @Test(
        arguments: zip(
            EventShape.allCases, [Shape.gatewayV2, .gatewayV2, .gatewayV1, .loadBalancer, .loadBalancerMultiValue]))
    func `the platform reads what the function wrote`(shape: EventShape, answerShape: Shape) throws {
        for body in [Array("{\"a\":\"中\"}".utf8), [0xFF, 0x00], []] {
            var response = Response(Status(code: 409), body: body)
            response.fields[.contentType] = "application/problem+json"
            response.fields[.retryAfter] = "7"
            var writer = Writer()
            ResponseEncoder.encode(response, to: .get, shape: answerShape, into: &writer)
            let read = try ResponseDecoder(shape: shape).response(from: writer.bytes)
            #expect(read.status.code == 409)
            #expect(read.body == body)
            #expect(read.fields[.contentType] == "application/problem+json")
            #expect(read.fields[.retryAfter] == "7")
        }
    }

    @Test func `a load balancer refuses the other mode's answer`() {
        let single = Array(#"{"statusCode":200,"headers":{"a":"b"},"body":""}"#.utf8)
        let multiple = Array(#"{"statusCode":200,"multiValueHeaders":{"a":["b"]},"body":""}"#.utf8)
        #expect(throws: ResponseDecoder.Mismatch.self) { try ResponseDecoder(shape: .albMulti).response(from: single) }
        #expect(throws: ResponseDecoder.Mismatch.self) { try ResponseDecoder(shape: .alb).response(from: multiple) }
    }

    @Test func `only payload 2 infers a response`() throws {
        let bare = Array(#"{"a":1}"#.utf8)
        #expect(try ResponseDecoder(shape: .v2).response(from: bare).body == bare)
        #expect(throws: ResponseDecoder.Mismatch.self) { try ResponseDecoder(shape: .v1).response(from: bare) }
        #expect(throws: ResponseDecoder.Mismatch.self) { try ResponseDecoder(shape: .alb).response(from: bare) }
    }
}
