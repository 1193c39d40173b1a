import Foundation
import JSON
import Testing

/// Whatever a client of the Runtime API may do within HTTP/1.1 is served; what emulators are known to get wrong is right here.
@Suite struct RuntimeClientConformanceTests {
    private func serve(
        _ script: String, options: [String] = [], _ body: (ScriptedFunction) throws -> Void
    ) throws {
        // One instance: what a script does first, it does for the first request.
        let end = try ScriptedFunction.run(script, options: options + ["--concurrency", "1"], body)
        #expect(end.status == 0)
        #expect(end.survivors.isEmpty)
    }

    /// What the scripts that write their bytes by hand begin with.
    private static let byHand = """
        import socket
        def dial():
            name, port = host.split(":")
            return socket.create_connection((name, int(port)))
        def read(stream):
            head = b""
            while b"\\r\\n\\r\\n" not in head:
                piece = stream.recv(1)
                if not piece: raise EOFError(head)
                head += piece
            lines = head.decode().split("\\r\\n")
            fields = dict((line.split(":", 1)[0].lower(), line.split(":", 1)[1].strip()) for line in lines[1:] if line)
            body = b""
            while len(body) < int(fields.get("content-length", 0)): body += stream.recv(65536)
            return int(lines[0].split()[1]), fields, body
        def poll(stream):
            stream.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            status, fields, body = read(stream)
            return fields["lambda-runtime-aws-request-id"]
        def target(id, end="response"): return ("POST /2018-06-01/runtime/invocation/%s/%s HTTP/1.1\\r\\n" % (id, end)).encode()

        """

    @Test func `field names come in any case, and a response needs no content type`() throws {
        let script =
            Self.byHand + """
                stream = dial()
                id = poll(stream)
                stream.sendall(target(id) + b"hOsT: x\\r\\ncOnTeNt-lEnGtH: 33\\r\\n\\r\\n" + b'{"statusCode":200,"body":"mixed"}')
                print("status", read(stream)[0], flush=True)
                id = poll(stream)
                stream.sendall(target(id, "error") + b"host: x\\r\\nLAMBDA-RUNTIME-FUNCTION-ERROR-TYPE: Function.Upper\\r\\nCONTENT-LENGTH: 2\\r\\n\\r\\n{}")
                read(stream)
                poll(stream)
                """
        try serve(script) { function in
            #expect(try function.get().text == "mixed")
            let failed = try function.get()
            #expect(failed.status == 502)
            #expect(failed["x-event-server-error"] == "Function.Upper")
            #expect(function.process.waitForLine(beginning: "status 202", within: 60))
        }
    }

    @Test func `a response may come byte by byte, in pieces with an announced trailer, or on a connection of its own`()
        throws
    {
        let script =
            Self.byHand + """
                stream = dial()
                id = poll(stream)
                for byte in target(id) + b"Host: x\\r\\nContent-Length: 33\\r\\n\\r\\n": stream.sendall(bytes([byte]))
                time.sleep(0.05)
                stream.sendall(b'{"statusCode":200,"body":"split"}')
                read(stream)

                id = poll(stream)
                stream.sendall(target(id) + b"Host: x\\r\\nTransfer-Encoding: chunked\\r\\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\\r\\n\\r\\n")
                for piece in (b'{"statusCode":200,', b'"body":"pieces"}'):
                    time.sleep(0.02)
                    stream.sendall(b"%x;ignored=1\\r\\n%s\\r\\n" % (len(piece), piece))
                stream.sendall(b"0\\r\\nX-Checksum: 1\\r\\n\\r\\n")
                read(stream)

                for turn in range(3):
                    stream.close()
                    stream = dial()
                    id = poll(stream)
                    stream.close()
                    stream = dial()
                    stream.sendall(target(id) + b"Host: x\\r\\nConnection: close\\r\\nContent-Length: 33\\r\\n\\r\\n" + b'{"statusCode":200,"body":"alone"}')
                    read(stream)
                    assert stream.recv(1) == b""
                stream = dial()
                poll(stream)
                """
        try serve(script) { function in
            let texts = try (0..<5).map { _ in try function.get().text }
            #expect(texts == ["split", "pieces", "alone", "alone", "alone"])
        }
    }

    @Test func `responses up to the limit pass whole, and one byte more does not`() throws {
        let script = """
            for size in (5000000, 6 * 1024 * 1024 + 100, 6 * 1024 * 1024 + 101):
                id, headers, event = next()
                frame = len('{"statusCode":200,"body":""}')
                print("status", respond(id, '{"statusCode":200,"body":"' + "a" * (size - frame) + '"}')[0], flush=True)
            next()
            """
        try serve(script) { function in
            let large = try function.get()
            #expect(large.body.count == 5_000_000 - 28)
            #expect(try function.get().body.count == 6_291_556 - 28)
            #expect(try function.get().status == 502)
            #expect(function.process.waitForLine(beginning: "status 413", within: 60))
        }
    }

    @Test(arguments: ["v1", "v2", "url", "alb", "alb-multi"])
    func `each event has an id and a time of its own, in milliseconds, and each call a deadline that is an instant`(
        shape: String
    ) throws {
        let script = """
            while True:
                id, headers, event = next()
                answer = dict(event=event, id=id, deadline=headers["lambda-runtime-deadline-ms"], trace=headers["lambda-runtime-trace-id"], arn=headers["lambda-runtime-invoked-function-arn"])
                fields = {"content-type": ["application/json"]} if "multiValueHeaders" in event and "elb" in event["requestContext"] else {"content-type": "application/json"}
                name = "multiValueHeaders" if isinstance(fields["content-type"], list) else "headers"
                respond(id, {"statusCode": 200, name: fields, "body": json.dumps(answer)})
            """
        try serve(script, options: ["--shape", shape, "--timeout-ms", "7000"]) { function in
            var ids: Set<String> = []
            var times: [Int64] = []
            var traces: Set<String> = []
            for _ in 0..<5 {
                let before = Int64(Date().timeIntervalSince1970 * 1_000)
                let answer = try function.get("/a").json()
                let after = Int64(Date().timeIntervalSince1970 * 1_000)
                ids.insert(try #require(answer["id"]?.string))
                traces.insert(try #require(answer["trace"]?.string))
                let deadline = try #require(answer["deadline"]?.string.flatMap { Int64($0) })
                #expect((before + 7_000...after + 7_000).contains(deadline))
                #expect(answer["arn"]?.string?.hasSuffix(":function:scripted") == true)
                let context = answer["event"]?["requestContext"]
                guard let time = context?["timeEpoch"] ?? context?["requestTimeEpoch"] else { continue }
                let instant = try #require(time.number?.integer)
                #expect((before...after).contains(instant))
                times.append(instant)
                #expect(context?["requestId"] == answer["id"])
                #expect((context?["apiId"]?.string ?? "").isEmpty == false)
                #expect((context?["accountId"]?.string ?? "").isEmpty == false)
                #expect((context?["http"]?["protocol"] ?? context?["protocol"]) == "HTTP/1.1")
            }
            #expect(ids.count == 5)
            #expect(traces.count == 5)
            #expect(times.count == (shape.hasPrefix("alb") ? 0 : 5))
        }
    }

    @Test func `a poll that nobody answers waits, and the next event still finds it`() throws {
        // A server that answers 204 when idle, or drops the poll, makes conforming clients exit.
        let script = """
            id, headers, event = next()
            begin = time.monotonic()
            respond(id, ok("first"))
            id, headers, event = next()
            respond(id, ok("waited" if time.monotonic() - begin >= 2 else "early"))
            next()
            """
        try serve(script) { function in
            let first = try function.get()
            #expect(first.text == "first")
            // Its line is written when the next one is asked for.
            #expect(function.waitForLines(1, beginning: "REPORT RequestId: "))
            Thread.sleep(forTimeInterval: 2.2)
            #expect(try function.get().text == "waited")
        }
    }

    @Test func `a function that streams to its URL is heard to the end, and no other mode is taken`() throws {
        let script = """
            def stream(id, pieces, mode="streaming"):
                fields = {"Transfer-Encoding": "chunked", "Lambda-Runtime-Function-Response-Mode": mode,
                          "Content-Type": "application/vnd.awslambda.http-integration-response"}
                connection.request("POST", "/2018-06-01/runtime/invocation/" + id + "/response", iter(pieces), encode_chunked=True, headers=fields)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
            prelude = b'{"statusCode":201,"headers":{"x-a":"1"},"cookies":["a=1","b=2"]}'
            id, headers, event = next()
            refused = stream(id, [b"{}"], "buffered")
            print("refused", refused[0], refused[1]["errorType"], flush=True)
            stream(id, [prelude, bytes(8), b"one ", bytes(9), b" two"])
            id, headers, event = next()
            stream(id, [prelude, bytes(7), b"one"])
            next()
            """
        try serve(script, options: ["--shape", "url"]) { function in
            let answer = try function.get()
            #expect(answer.status == 201)
            #expect(answer.body == Array("one ".utf8) + [UInt8](repeating: 0, count: 9) + Array(" two".utf8))
            #expect(answer["x-a"] == "1")
            #expect(answer.fields.filter { $0.name == "set-cookie" }.map(\.value) == ["a=1", "b=2"])
            let broken = try function.get()
            #expect(broken.status == 502)
            #expect(function.process.waitForLine(beginning: "refused 400 InvalidFunctionResponseMode", within: 60))
        }
    }

    @Test func `routes that the Runtime API does not have are refused, and the function lives on`() throws {
        let script = """
            id, headers, event = next()
            statuses = [call("POST", "/invocation/next")[0], call("GET", "/invocation/" + id + "/response")[0], call("GET", "/nothing")[0],
                        call("POST", "/init/error", "{}")[0]]
            respond(id, ok(json.dumps(statuses)))
            next()
            """
        try serve(script) { function in
            let statuses = try function.get().json()
            #expect(statuses == [404, 404, 404, 403])
        }
    }
}
