import Foundation
import Testing

/// `HEAD` through the local platform: what `GET` would say of the answer, and none of its body.
@Suite(.serialized) struct HeadRequestTests {
    @Test(arguments: ["lambda", "fc"])
    func `HEAD says how long the answer to GET is, from both functions`(cloud: String) throws {
        try LocalPlatform.run(options: ["--platform", cloud, "--concurrency", "1"]) { platform in
            for url in [platform.url, platform.cache] {
                for path in ["/pong", "/api/realm", "/api/none", "/api/token?realm=none&key=none"] {
                    let whole = try OneShotHTTP.send("GET", url + path)
                    let head = try OneShotHTTP.send("HEAD", url + path)
                    #expect(head.status == whole.status, "\(url)\(path)")
                    #expect(head["content-length"] == String(whole.body.count), "\(url)\(path)")
                    #expect(head["content-type"] == whole["content-type"], "\(url)\(path)")
                    #expect(head.body.isEmpty)
                }
            }
        }
    }

    /// `/body` sends one all the same, `/length` says how long it would be, `/none` says nothing.
    @Test(arguments: ["v1", "v2", "url", "alb", "alb-multi"])
    func `what a function of its own answers to HEAD is what the caller gets`(shape: String) throws {
        let script = """
            while True:
                id, headers, event = next()
                path = event.get("rawPath") or event["path"]
                fields = {"content-type": "text/plain"}
                if path == "/length": fields["content-length"] = "12345"
                if "multiValueHeaders" in event and "headers" not in event:
                    fields = dict(multiValueHeaders=dict((k, [v]) for k, v in fields.items()))
                else: fields = dict(headers=fields)
                respond(id, dict(statusCode=200, body="four" if path == "/body" else "", **fields))
            """
        let end = try ScriptedFunction.run(script, options: ["--shape", shape]) { function in
            let lengths = try ["/body", "/length", "/none"].map { path in
                let head = try OneShotHTTP.send("HEAD", function.url + path)
                #expect(head.status == 200)
                #expect(head.body.isEmpty)
                return head["content-length"]
            }
            #expect(lengths == ["4", "12345", "0"])
            // Elsewhere the length is the platform's own.
            #expect(try function.get("/length")["content-length"] == "0")
        }
        #expect(end.status == 0)
    }

    @Test func `a connection on which HEAD was answered with a length goes on`() throws {
        let script = """
            def handle(request, control, body):
                if request.command == "HEAD":
                    request.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 12345\\r\\n\\r\\n")
                else: request.answer("whole")
            Request.do_HEAD = Request.do_GET
            """
        let end = try ScriptedFunction.run(script, on: .fc) { function in
            let port = try #require(function.url.split(separator: ":").last.flatMap { UInt16($0) })
            let connection = try RawHTTPConnection(port: port)
            for _ in 0..<3 {
                let head = try connection.request("HEAD", "/")
                #expect(head["Content-Length"] == "12345")
                // Bytes of a body would be read as the head of this answer.
                let next = try connection.request("GET", "/")
                #expect(next.status == 200)
            }
        }
        #expect(end.status == 0)
    }
}
