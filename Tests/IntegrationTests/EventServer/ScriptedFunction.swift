import Foundation
import HTTPServer
import JSON
import Locks
import Testing

/// A function in Python that speaks the Runtime API by hand, and the real `event-server serve` in front of it.
struct ScriptedFunction {
    /// The URL of the front.
    let url: String
    let process: ProcessSession

    /// What every script begins with.
    private static let prelude = """
        #!/usr/bin/python3
        import http.client, json, os, sys, time
        host = os.environ["AWS_LAMBDA_RUNTIME_API"]
        connection = http.client.HTTPConnection(host)
        def call(method, path, body=None, headers={}):
            connection.request(method, "/2018-06-01/runtime" + path, body, headers)
            response = connection.getresponse()
            return response.status, dict((k.lower(), v) for k, v in response.getheaders()), response.read()
        def next():
            status, headers, body = call("GET", "/invocation/next")
            return headers.get("lambda-runtime-aws-request-id"), headers, json.loads(body)
        def respond(id, value):
            body = value if isinstance(value, (str, bytes)) else json.dumps(value)
            return call("POST", "/invocation/" + id + "/response", body)
        def ok(text="ok", **more):
            return dict(statusCode=200, headers={"content-type": "text/plain"}, body=text, **more)

        """

    /// Starts the platform on the script, calls `body` and expects that nothing is left behind.
    static func run(
        _ script: String, options: [String] = [], _ body: (ScriptedFunction) throws -> Void
    ) throws -> (status: Int32, survivors: [pid_t]) {
        let folder = try ScratchFolder.make()
        let bootstrap = folder + "/bootstrap"
        try Program.write(prelude + script, to: bootstrap)
        let process = try ProcessSession(
            LocalPlatform.products.appending(path: "event-server").path(),
            ["serve", "--function", "scripted", "--bootstrap", bootstrap, "--port", "0"] + options,
            environment: ["PATH": "/usr/bin:/bin"], output: folder + "/output")
        guard process.waitForLine(beginning: "scripted http://", within: 30),
            let line = process.output.split(separator: "\n").first(where: { $0.hasPrefix("scripted http://") })
        else {
            _ = process.stop()
            throw LocalPlatform.Failure(description: process.output)
        }
        do {
            try body(ScriptedFunction(url: String(line.dropFirst("scripted ".count)), process: process))
        } catch {
            _ = process.stop()
            throw error
        }
        return process.stop()
    }

    func get(_ path: String = "/") throws -> Answer {
        try OneShotHTTP.send("GET", url + path)
    }

    /// Sends several requests at once; answers in no order.
    func getAtOnce(_ count: Int, _ path: String = "/") -> [Answer] {
        let answers = Answers()
        let url = url
        concurrently(count) { _ in
            if let answer = try? OneShotHTTP.send("GET", url + path) { answers.append(answer) }
        }
        return answers.all
    }

    func account() throws -> [String: Int64] {
        let totals = try OneShotHTTP.send("GET", url + "/_event-server/invocations").json()["totals"]
        var numbers: [String: Int64] = [:]
        for (name, value) in totals?.object?.members ?? [] { numbers[name] = value.number?.integer }
        return numbers
    }
}

private final class Answers: Sendable {
    private let list = Lock<[Answer]>([])
    var all: [Answer] { list.withLock { $0 } }
    func append(_ answer: Answer) { list.withLock { $0.append(answer) } }
}
