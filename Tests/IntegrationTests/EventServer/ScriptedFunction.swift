import Foundation
import HTTPServer
import JSON
import Locks
import Testing

/// A function in Python that speaks to its cloud by hand, and the real `event-server serve` in front of it.
struct ScriptedFunction {
    enum Cloud: String, CaseIterable {
        /// The script pulls events: `next`, `respond`, `call`, `say`.
        case lambda
        /// The script defines `handle(request, control, body)`, which calls `request.answer`, and `say`.
        case fc
    }

    /// The URL of the front.
    let url: String
    let process: ProcessSession

    /// The script, which a test may write anew.
    let bootstrap: String

    /// What every script of Function Compute begins with.
    private static let serving = """
        #!/usr/bin/python3
        import http.server, json, os, sys, threading, time
        # Whole, whichever threads speak at once.
        def say(*words): os.write(1, (" ".join(str(word) for word in words) + "\\n").encode())
        class Request(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def log_message(self, *words): pass
            def answer(self, body="ok", status=200, **fields):
                data = body.encode()
                head = "HTTP/1.1 %d Status\\r\\nContent-Length: %d\\r\\n" % (status, len(data))
                for name, value in fields.items(): head += "%s: %s\\r\\n" % (name.replace("_", "-"), value)
                self.wfile.write((head + "\\r\\n").encode() + data)
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                handle(self, self.headers.get("x-fc-control-path"), body)
            do_POST = do_GET
        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            def handle_error(self, *words): pass
        def serve(): Server(("0.0.0.0", int(os.environ["FC_CUSTOM_LISTEN_PORT"])), Request).serve_forever()

        """

    /// What every script of Lambda begins with.
    private static let pulling = """
        #!/usr/bin/python3
        import http.client, json, os, sys, time
        # Whole, whichever threads speak at once.
        def say(*words): os.write(1, (" ".join(str(word) for word in words) + "\\n").encode())
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
    ///
    /// Start and invocation of the function have a minute, unless `options` say otherwise: a busy machine takes its time.
    /// - Parameter descriptors: how many the platform may have open at first.
    static func run(
        _ script: String, on cloud: Cloud = .lambda, options: [String] = [], descriptors: Int? = nil,
        _ body: (ScriptedFunction) throws -> Void
    ) throws -> (status: Int32, survivors: [pid_t]) {
        let folder = try ScratchFolder.make()
        let bootstrap = folder + "/bootstrap"
        try Program.write(text(script, cloud), to: bootstrap)
        let limit = descriptors.map { "ulimit -Sn \($0) && " } ?? ""
        let serve = ["serve", "--function", "scripted", "--bootstrap", bootstrap, "--port", "0"]
        let names =
            cloud == .lambda && !options.contains("--instance-concurrency")
            ? ["--init-ms", "--timeout-ms"] : ["--timeout-ms"]
        let patience = names.filter { !options.contains($0) }.flatMap { [$0, "60000"] }
        let process = try ProcessSession(
            "/bin/sh",
            ["-c", limit + #"exec "$@""#, "sh", LocalPlatform.products.appending(path: "event-server").path()] + serve
                + ["--platform", cloud.rawValue] + patience + options,
            environment: ["PATH": "/usr/bin:/bin"], output: folder + "/output")
        guard process.waitForLine(beginning: "scripted http://", within: 60),
            let line = process.output.split(separator: "\n").first(where: { $0.hasPrefix("scripted http://") })
        else {
            _ = process.stop()
            throw LocalPlatform.Failure(description: process.output)
        }
        do {
            let url = String(line.dropFirst("scripted ".count))
            try body(ScriptedFunction(url: url, process: process, bootstrap: bootstrap))
        } catch {
            _ = process.stop()
            throw error
        }
        return process.stop()
    }

    /// The whole program.
    static func text(_ script: String, _ cloud: Cloud) -> String {
        switch cloud {
        case .lambda: pulling + script
        case .fc: serving + script + "\nserve()\n"
        }
    }

    /// Waits for the account to say so; false when it never does.
    func waitForAccount(_ name: String, _ value: Int64) throws -> Bool {
        try wait { try account()[name] == value }
    }

    /// Waits for so many lines that begin so, each of them whole; false when they never come.
    func waitForLines(_ count: Int, beginning: String) -> Bool {
        wait { lines(beginning: beginning).count >= count }
    }

    /// The whole lines so far that begin so.
    func lines(beginning: String) -> [Substring] {
        let output = process.output
        return output[..<(output.lastIndex(of: "\n") ?? output.startIndex)].split(separator: "\n")
            .filter { $0.hasPrefix(beginning) }
    }

    /// A file for which a script may wait: `__file__ + ".go"`.
    func letGo() {
        #expect(FileManager.default.createFile(atPath: bootstrap + ".go", contents: nil))
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

final class Answers: Sendable {
    private let list = Lock<[Answer]>([])
    var all: [Answer] { list.withLock { $0 } }
    func append(_ answer: Answer) { list.withLock { $0.append(answer) } }
}
