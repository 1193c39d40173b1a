import HTTP
import JSON
import Testing
import TriggerEvents

@Suite struct ResponseEncoderTests {
    private func encoded(_ response: Response, _ shape: Shape, to method: HTTP.Method = .get) throws -> JSON.Value {
        var writer = Writer()
        ResponseEncoder.encode(response, to: method, shape: shape, into: &writer)
        return try JSON.Value(parsing: writer.bytes)
    }

    private var response: Response {
        var response = Response(.ok, json: ["token": "t\u{1}\"中"])
        response.fields.append(.setCookie, "a=1")
        response.fields.append(.setCookie, "b=2")
        return response
    }

    @Test func `payload 2 has single headers and cookies apart`() throws {
        let event = try encoded(response, .gatewayV2)
        #expect(event["statusCode"] == 200)
        #expect(event["headers"] == ["content-type": "application/json"])
        #expect(event["cookies"] == ["a=1", "b=2"])
        #expect(event["isBase64Encoded"] == false)
        let body = try #require(event["body"]?.string)
        #expect(try JSON.Value(parsing: body.utf8) == ["token": "t\u{1}\"中"])
    }

    @Test func `payload 1 has lists for what repeats`() throws {
        let event = try encoded(response, .gatewayV1)
        #expect(event["headers"] == ["content-type": "application/json"])
        #expect(event["multiValueHeaders"] == ["set-cookie": ["a=1", "b=2"]])
    }

    @Test func `a load balancer gets the mode of its request`() throws {
        let single = try encoded(response, .loadBalancer)
        #expect(single["statusDescription"] == "200 OK")
        #expect(single["headers"]?["set-cookie"] == "b=2")
        #expect(single["multiValueHeaders"] == nil)
        let multiple = try encoded(response, .loadBalancerMultiValue)
        #expect(multiple["headers"] == nil)
        #expect(multiple["multiValueHeaders"]?["set-cookie"] == ["a=1", "b=2"])
    }

    @Test(arguments: Shape.allCases) func `bytes that are no text travel as base64`(shape: Shape) throws {
        var binary = Response(.ok, body: [0xFF, 0x00, 0x10])
        binary.fields[.contentType] = "application/octet-stream"
        let event = try encoded(binary, shape)
        #expect(event["isBase64Encoded"] == true)
        #expect(event["body"] == "/wAQ")
    }

    @Test(arguments: Shape.allCases) func `HEAD and statuses without content have no body`(shape: Shape) throws {
        let head = try encoded(response, shape, to: .head)
        #expect(head["body"] == "")
        let length = String(response.body.count)
        let isMultiple = shape == .loadBalancerMultiValue
        #expect(
            head[isMultiple ? "multiValueHeaders" : "headers"]?["content-length"]
                == (isMultiple ? [.string(length)] : .string(length)))
        let headers = try encoded(response, shape)
        #expect(headers["headers"]?["content-length"] == nil && headers["multiValueHeaders"]?["content-length"] == nil)
        #expect(try encoded(Response(.notModified, body: [65]), shape)["body"] == "")
        #expect(try encoded(Response(.noContent, body: [65]), shape)["body"] == "")
    }
}
