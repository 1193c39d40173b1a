import Clocks
import EventServer
import Foundation
import HTTP
import JSON
import Testing

/// A record of calls holds nothing that opens a door.
@Suite struct MaskingTests {
    private let now = Timestamp(milliseconds: 1_767_225_600_000)

    private func recording(_ event: String, _ answer: String = "{}") -> Recording {
        Recording(event: Array(event.utf8), id: "1", function: "f", at: now, result: .response(Array(answer.utf8)))
    }

    private func event(_ shape: EventShape, _ body: String, type: String = "application/json") -> String {
        var fields = Fields()
        fields[.authorization] = "Bearer sesame-1"
        fields[.cookie] = "session=sesame-2"
        fields[.contentType] = type
        let request = Request(
            .post, path: "/api/secret", query: "realm=wx&now_token=sesame-3&key=app", fields: fields,
            body: Array(body.utf8))
        return String(decoding: EventEncoder(shape: shape).event(for: request, id: "1", now: now), as: UTF8.self)
    }

    private static let secretBody = """
        {"realm":"wx","key":"app","key_1":"sesame-4","credentials":{"appid":"sesame-5","n":7},"config":{"token_path":"a.b",
         "arguments":[{"name":"secret","place":"url","value":"sesame-6"},{"name":"appid","value":"$key_1"},
                      {"name":"app_secret","value":"$key_2"}]}}
        """

    @Test(arguments: EventShape.allCases) func `no credential of an event stays in clear`(shape: EventShape) throws {
        for (body, type) in [(Self.secretBody, "application/json"), (Self.secretBody, "application/octet-stream")] {
            let recording = recording(event(shape, body, type: type))
            let text = recording.line.text
            #expect(!text.contains("sesame"), "\(text)")
            #expect(recording.masked.contains { $0.lowercased().contains("authorization") })
            // In base64 as well, and what is no secret stays.
            let encoded = recording.line["event"]?["isBase64Encoded"] == true
            let recorded = try #require(recording.line["event"]?["body"]?.string)
            let inner = encoded ? Array(try #require(Data(base64Encoded: recorded))) : Array(recorded.utf8)
            let object = try JSON.Value(parsing: inner)
            #expect(object["key"] == "app")
            #expect(object["key_1"] == "******")
            #expect(object["credentials"]?["appid"] == "******")
            #expect(object["credentials"]?["n"] == "******")
            #expect(object["config"]?["token_path"] == "a.b")
            #expect(object["config"]?["arguments"]?.array?[1]["value"] == "$key_1")
            #expect(object["config"]?["arguments"]?.array?[2]["value"] == "$key_2")
        }
    }

    @Test(arguments: [
        #"{"token":"sesame"}"#, #"{"data":{"access_token":"sesame","expires_in":7}}"#, "sesame", #""sesame""#,
        "a=1&refresh_token=sesame", #"{"key":"ts_0a1b_sesame"}"#, #"[{"tokens":["sesame"]}]"#, "<sesame/>",
        #"{"statement":"Bearer sesame"}"#, #"{"ticket":5551234}"#,
    ])
    func `no token of an answer stays in clear`(body: String) throws {
        let answer: JSON.Value = ["statusCode": 200, "headers": ["Set-Cookie": "a=sesame"], "body": .string(body)]
        let text = recording("{}", answer.text).line.text
        #expect(!text.contains("sesame"), "\(text)")
        #expect(!text.contains("5551234"), "\(text)")
        let request = Request(.post, path: "/a", query: "access_token=sesame", body: Array(body.utf8))
        var response = Response(.ok, body: Array(body.utf8))
        response.fields[.setCookie] = "a=sesame"
        let passed = Recording(
            request: request, control: "/http-invoke", id: "1", function: "f", at: now, answer: response,
            outcome: "response")
        #expect(!passed.line.text.contains("sesame"), "\(passed.line.text)")
    }

    @Test func `a line is read as it was written`() throws {
        let first = recording(event(.v2, #"{"a":1}"#), #"{"statusCode":404}"#)
        let read = try #require(Recording(line: first.line.encoded))
        #expect(read.line == first.line)
        #expect(read.status == 404)
        #expect(Recording(line: Array("{}".utf8)) == nil)
        #expect(Recording(line: Array("text".utf8)) == nil)
    }

    @Test func `a call is sent again with another authorization, unless something else is masked`() throws {
        let url = "http://127.0.0.1:1"
        var masked = Request(.get, path: "/a", query: "x=1")
        masked.fields[.authorization] = "Bearer sesame"
        let plain = Recording(
            request: masked, control: "/http-invoke", id: "1", function: "f", at: now, answer: Response(.ok),
            outcome: "response")
        guard case .send(let request) = Replay(plain).plan(url: url, authorization: "Bearer other") else {
            Issue.record("it is not sent")
            return
        }
        #expect(request.url == url + "/a?x=1")
        #expect(request.fields[.authorization] == "Bearer other")
        #expect(Replay(plain).recordedOutcome == "200")

        for shape in EventShape.allCases {
            let bare = event(shape, #"{"a":1}"#).replacing("now_token=sesame-3&", with: "")
            let replay = Replay(
                recording(
                    bare.replacing(#""now_token":"sesame-3","#, with: "").replacing(
                        #""now_token":["sesame-3"],"#, with: "")))
            guard case .send(let sent) = replay.plan(url: url, authorization: "Bearer other") else {
                Issue.record("\(shape) is not sent")
                continue
            }
            #expect(String(decoding: sent.body, as: UTF8.self).contains("Bearer other"))
            #expect(replay.name == "POST /api/secret")
            guard
                case .skip(let reason) = Replay(recording(event(shape, Self.secretBody))).plan(
                    url: url, authorization: nil)
            else {
                Issue.record("\(shape) is sent")
                continue
            }
            #expect(reason.hasPrefix("masked: event."))
        }
    }
}
