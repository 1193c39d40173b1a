import Crypto
import Foundation
import Glibc
import JSON
import Locks
import Storage
import Testing

/// The two functions as Alibaba's Function Compute runs them: real processes that serve HTTP, driven by real sockets.
@Suite(.serialized) struct ServeLoopTests {
    @Test func `a token comes from upstream, then from the database, with the platform's fields`() throws {
        try ServingFunction.withServer { function, _ in
            let fields = [(name: "x-fc-control-path", value: "/http-invoke"), (name: "x-fc-request-id", value: "fc-1")]
            let first = try function.send("GET", "/api/token?realm=wx&key=app", fields: fields)
            #expect(try first.json()["source"] == "upstream")
            #expect(first["x-fc-status"] == "200")
            #expect(first["x-request-id"] == "fc-1")
            #expect(try function.send("GET", "/api/token?realm=wx&key=app").json()["source"] == "database")
            let unknown = try function.send("GET", "/api/token?realm=none&key=app", fields: fields)
            #expect(unknown.status == 404)
            #expect(try unknown.json()["request_id"] == "fc-1")
            #expect(unknown["x-fc-status"] == "200", "a refusal is no failure of the function")
            let line = function.lines.first { $0["request_id"] == "fc-1" }
            #expect(line?["route"] == "/api/token")
            #expect(line?["source"] == "upstream")
            #expect(line?["cold"] == false)
        }
    }

    @Test func `timers run the job, and what the platform controls is not to be had by a path`() throws {
        try ServingFunction.withServer { function, _ in
            let timer = #"{"triggerTime":"t","triggerName":"refresh","payload":"{\"job\":\"refresh\"}"}"#
            let invoke = [(name: "x-fc-control-path", value: "/invoke")]
            let done = try function.send("POST", "/invoke", fields: invoke, json: timer)
            #expect(done.status == 200)
            #expect(try done.json()["refreshed"] == 0)
            let bad = try function.send("POST", "/invoke", fields: invoke, json: #"{"x":1}"#)
            #expect(bad.status == 400)
            #expect(bad["x-fc-status"] == "404")
            for (method, path) in [("POST", "/initialize"), ("GET", "/pre-stop")] {
                let control = [(name: "x-fc-control-path", value: path)]
                #expect(try function.send(method, path, fields: control).status == 200)
            }
            for (method, path) in [("POST", "/invoke"), ("POST", "/initialize"), ("GET", "/pre-stop")] {
                #expect(try function.send(method, path).status == 404)
                let outside = [(name: "x-fc-control-path", value: "/http-invoke")]
                #expect(try function.send(method, path, fields: outside).status == 404)
            }
        }
    }

    @Test func `two hundred callers of a provider that hangs are parked, and other keys are answered`() throws {
        try ServingFunction.withGatedServer { function, provider in
            #expect(try function.send("GET", "/api/token?realm=wx&key=other").status == 200)
            let threads = function.threads
            provider.close()
            let statuses = Lock<[Int]>([])
            let callers = Thread {
                concurrently(200) { _ in
                    let target = function.url + "/api/token?realm=wx&key=app"
                    let answer = try? OneShotHTTP.send("GET", target, timeout: 120)
                    statuses.withLock { $0.append(answer?.status ?? 0) }
                }
            }
            callers.start()
            #expect(wait { provider.calls == 2 })
            for _ in 0..<100 {
                let hit = try function.send("GET", "/api/token?realm=wx&key=other")
                #expect(hit.status == 200)
            }
            // The hits were answered while everybody else still waits.
            #expect(statuses.withLock { $0.count } == 0)
            // One more at most for each of the twelve workers: a thread for the call that blocks it.
            #expect(function.threads <= threads + 12)
            provider.open()
            #expect(wait { statuses.withLock { $0.count } == 200 })
            #expect(Set(statuses.withLock { $0 }) == [200])
            #expect(provider.calls == 2)
        }
    }

    @Test func `the cache answers from memory what it has, and passes on the rest`() throws {
        try ServingFunction.withServer { server, _ in
            try ServingFunction.run("token-server-cache", ["TOKEN_SERVER_URL": server.url]) { cache in
                #expect(try cache.send("GET", "/api/token?realm=wx&key=app").json()["source"] == "upstream")
                let hit = try cache.send("GET", "/api/token?realm=wx&key=app")
                #expect(try hit.json()["source"] == "memory")
                #expect(hit["x-fc-status"] == "200")
                #expect(hit["x-request-id"] != nil)
                #expect(try cache.send("GET", "/api/realm/wx").status == 200)
                let target = cache.url + "/api/token?realm=wx&key=app"
                let text = try Program.run(
                    "/usr/bin/ab", ["-q", "-k", "-s", "300", "-c", "200", "-n", "20000", target]
                ).output
                #expect(text.contains("Complete requests:      20000"))
                #expect(text.contains("Keep-Alive requests:    20000"))
                #expect(!text.contains("Non-2xx"))
            }
        }
    }

    @Test func `a proxy that the environment names is not used for the provider`() throws {
        // A port where nobody listens: whoever asked this proxy would get nothing.
        let closed = try SocketServer(nil)
        closed.stop()
        let names = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        let proxies = Dictionary(uniqueKeysWithValues: names.map { ($0, "http://127.0.0.1:\(closed.port)") })
        try ServingFunction.withServer(proxies) { function, _ in
            let answer = try function.send("GET", "/api/token?realm=wx&key=app").json()
            #expect(answer["source"] == "upstream")
        }
    }

    @Test(arguments: [
        ("FC_CUSTOM_LISTEN_PORT", "x"), ("FC_SERVER_PORT", "70000"), ("FUNCTION_TIMEOUT_MS", "0"), ("MASTER_KEYS", ""),
        ("MASTER_KEYS", "canary"),
    ])
    func `a bad setting is one line that names it`(variable: String, value: String) throws {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let process = try ProcessSession(
            LocalPlatform.products.appending(path: "token-server").path(), [],
            environment: [
                "FC_FUNCTION_NAME": "f", "AUTH": "keys", "DATABASE_URL": "sqlite:\(folder)/d",
                "MASTER_KEYS": MasterKeys.text("test"),
            ].merging([variable: value]) { $1 },
            output: folder + "/output")
        #expect(wait { !process.isRunning })
        let end = process.stop()
        #expect(end.status == 1)
        let lines = process.output.split(separator: "\n")
        #expect(lines.count == 1)
        #expect(lines.first?.contains("\"variable\":\"\(variable)\"") == true, "\(process.output)")
        #expect(!process.output.contains("canary"))
    }
}
