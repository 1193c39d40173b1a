import Foundation
import HTTP
import JSON
import Testing
import TriggerEvents

@Suite struct EventDecoderTests {
    private func request(_ event: String) throws -> (Request, Shape) {
        var decoder = EventDecoder()
        guard case .http(let request, let shape) = try decoder.decode(event.utf8) else {
            throw TriggerError.notATrigger
        }
        return (request, shape)
    }

    private func failure(_ event: String) -> TriggerError? {
        var decoder = EventDecoder()
        do throws(TriggerError) {
            _ = try decoder.decode(event.utf8)
            return nil
        } catch {
            return error
        }
    }

    @Test func `an HTTP API event keeps its path and query as they were sent`() throws {
        let (request, shape) = try request(Events.v2)
        #expect(shape == .gatewayV2)
        #expect(request.method == .put)
        #expect(request.path == "/api/token")
        #expect(request.query == "realm=wx&realm=b%20c&key=k%2F1")
        #expect(request.fields[.authorization] == "Bearer abc")
        #expect(request.fields[.contentType] == "application/json")
        #expect(String(decoding: request.body, as: UTF8.self) == #"{"now_token":"t"}"#)
        #expect(request.sourceAddress == "203.0.113.9")
        #expect(request.id == "b9-1")
    }

    @Test func `members that are absent or null are empty`() throws {
        let (request, shape) = try request(Events.functionURL)
        #expect(shape == .gatewayV2)
        #expect(request.method == .get)
        #expect(request.query.isEmpty)
        #expect(request.body.isEmpty)
        #expect(request.fields.count == 0)
    }

    @Test func `a REST API event is encoded again, so that a decoded slash cannot make a segment`() throws {
        let (request, shape) = try request(Events.v1)
        #expect(shape == .gatewayV1)
        #expect(request.path == "/api/secret/wx/a%20b")
        let query = try #require(QueryString(parsing: request.query))
        #expect(query.values("id") == ["1", "2"])
        #expect(query.values("n") == ["a&b"])
        #expect(request.fields.values(.authorization) == ["Bearer first", "Bearer last"])
        #expect(request.sourceAddress == "203.0.113.9")
        #expect(request.body.isEmpty)
    }

    @Test func `a load balancer's values are still encoded`() throws {
        let (request, shape) = try request(Events.alb)
        #expect(shape == .loadBalancer)
        #expect(QueryString(parsing: request.query)?.values("realm") == ["w x"])
        #expect(request.sourceAddress == nil)
    }

    @Test func `a load balancer in multi-value mode gives every value`() throws {
        let (request, shape) = try request(Events.albMulti)
        #expect(shape == .loadBalancerMultiValue)
        #expect(QueryString(parsing: request.query)?.values("a") == ["1", "2"])
        #expect(request.fields.values(.forwardedFor) == ["203.0.113.9", "10.0.0.1"])
        #expect(String(decoding: request.body, as: UTF8.self) == "hello")
    }

    @Test(arguments: [
        (Events.schedule, nil, "5b6f"), (#"{"job":"refresh"}"#, "refresh" as String?, ""),
        (
            #"{"triggerTime":"2023-12-26T07:49:00Z","triggerName":"refresh","payload":"{\"job\":\"refresh\"}"}"#,
            "refresh", ""
        ),
        (#"{"triggerTime":"2023-12-26T07:49:00Z","triggerName":"refresh","payload":""}"#, nil, ""),
    ])
    func `a schedule is told by its envelope or by our own payload`(event: String, job: String?, id: String) throws {
        var decoder = EventDecoder()
        guard case .schedule(let schedule) = try decoder.decode(event.utf8) else {
            Issue.record("no schedule")
            return
        }
        #expect(schedule == Schedule(job: job, id: id))
    }

    @Test func `a stage in front of the path is taken off`() throws {
        func path(_ stage: String, _ raw: String) throws -> String {
            let event =
                Events.v2.replacing(#""stage":"$default""#, with: #""stage":"\#(stage)""#)
                .replacing(#""rawPath":"/api/token""#, with: #""rawPath":"\#(raw)""#)
            return try request(event).0.path
        }
        #expect(try path("dev", "/dev/pong") == "/pong")
        #expect(try path("dev", "/dev") == "/")
        #expect(try path("dev", "/device") == "/device")
        #expect(try path("$default", "/dev/pong") == "/dev/pong")
    }

    @Test func `an encoded slash stays encoded`() throws {
        let event = Events.v2.replacing(#""rawPath":"/api/token""#, with: #""rawPath":"/api/secret/a%2Fb/%2e%2e""#)
        #expect(try request(event).0.path == "/api/secret/a%2Fb/%2e%2e")
    }

    @Test(arguments: ["aGVsbG8", "aGVsbG8=\\n", "****", "aGVsbG9=", "aGVsbG8=aGVsbG8="])
    func `a body that says it is base64 and is not is refused in its shape`(body: String) {
        let event = Events.albMulti.replacing("aGVsbG8=", with: body)
        #expect(failure(event) == .bodyNotBase64(.loadBalancerMultiValue, .post))
    }

    @Test func `a body of six megabytes is decoded whole`() throws {
        let text = String(repeating: "0123456789abcdef", count: 6 << 16)
        let event = Events.albMulti.replacing("aGVsbG8=", with: text + "QUJD")
        let (request, _) = try request(event)
        #expect(request.body.count == (6 << 20) / 4 * 3 + 3)
        #expect(request.body.suffix(3) == [0x41, 0x42, 0x43])
    }

    @Test func `an HTTP API's header names may have any case`() throws {
        let event = Events.v2.replacing(#""authorization""#, with: #""AUTHORIZATION""#)
            .replacing(#""content-type""#, with: #""Content-Type""#)
        let (request, _) = try request(event)
        #expect(request.fields[.authorization] == "Bearer abc")
        #expect(request.fields[.contentType] == "application/json")
    }

    @Test func `a REST API's maps may be null`() throws {
        var event = Events.v1
        for name in ["multiValueHeaders", "multiValueQueryStringParameters", "queryStringParameters", "headers"] {
            let start = try #require(event.range(of: "\"\(name)\":{"))
            let end = try #require(event[start.upperBound...].firstIndex(of: "}"))
            event.replaceSubrange(start.lowerBound...end, with: "\"\(name)\":null")
        }
        let (request, _) = try request(event)
        #expect(request.fields.count == 0)
        #expect(request.query.isEmpty)
    }

    @Test func `a body needs no content type to be decoded`() throws {
        let (request, _) = try request(Events.albMulti)
        #expect(request.fields[.contentType] == nil)
        #expect(String(decoding: request.body, as: UTF8.self) == "hello")
    }

    @Test(arguments: [
        ("{}", TriggerError.notATrigger), ("[]", .notATrigger), ("1", .notATrigger),
        (#"{"version":"2.0"}"#, .notATrigger),
        (#"{"Records":[]}"#, .notATrigger), (#"{"detail-type":"Other","source":"aws.ec2"}"#, .notATrigger),
        (#"{"triggerTime":"t","triggerName":"n","payload":"tick"}"#, .malformed(member: "payload")),
        (#"{"triggerTime":"t","triggerName":"n","payload":"{\"job\":1}"}"#, .malformed(member: "payload.job")),
        (#"{"version":"2.0","rawPath":"/","requestContext":7}"#, .malformed(member: "requestContext")),
        (
            #"{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":7}}}"#,
            .malformed(member: "requestContext.http.method")
        ),
        (#"{"version":"2.0","rawPath":"x","requestContext":{"http":{"method":"GET"}}}"#, .malformed(member: "rawPath")),
        (
            #"{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"G T"}}}"#,
            .malformed(member: "requestContext.http.method")
        ),
        (
            #"{"version":"2.0","rawPath":"/","headers":{"Authorization":7},"requestContext":{"http":{"method":"GET"}}}"#,
            .malformed(member: "headers.authorization")
        ),
        (
            #"{"version":"2.0","rawPath":"/","body":{},"requestContext":{"http":{"method":"GET"}}}"#,
            .malformed(member: "body")
        ),
        (#"{"job":7}"#, .malformed(member: "job")),
    ])
    func `an event that is none, or is broken, is refused by name`(event: String, expected: TriggerError) {
        #expect(failure(event) == expected)
    }

    @Test func `what is not JSON is refused`() {
        guard case .notJSON = failure("{") else {
            Issue.record("accepted")
            return
        }
    }

    @Test func `one decoder reads many events`() throws {
        var decoder = EventDecoder()
        for _ in 0..<3 {
            for event in [Events.v2, Events.v1, Events.alb, "{", Events.albMulti, Events.schedule] {
                _ = try? decoder.decode(event.utf8)
            }
        }
        guard case .http(let request, _) = try decoder.decode(Events.v2.utf8) else {
            Issue.record("no request")
            return
        }
        #expect(request.path == "/api/token")
    }
}
