import Foundation
import Glibc
import JSON
import Locks
import Testing

/// The local platform as Function Compute: the same executables, serving HTTP themselves.
@Suite(.serialized) struct ComputePlatformTests {
    /// - Parameter gated: the provider of the realm in the place of the platform's own; a call of it may take 15 seconds.
    private func run(
        _ options: [String] = [], gated: GatedProvider? = nil, _ body: (LocalPlatform) throws -> Void
    ) throws {
        try LocalPlatform.run(
            environment: gated?.environment ?? [:], options: ["--platform", "fc", "--timeout-ms", "60000"] + options
        ) { platform in
            let realm = """
                {"id": "wx", "policy": {"timeout": 15, "patience": 60}, "config": {
                 "url": "\(gated?.url ?? platform.provider + "/cgi-bin/token")", "arguments": [
                    {"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "s"},
                    {"name": "grant_type", "place": "url", "value": "client_credential"}],
                 "token_path": "access_token", "expires_in_path": "expires_in"}}
                """
            #expect(try OneShotHTTP.send("POST", platform.url + "/api/realm", json: realm).status == 200)
            let secret = #"{"realm": "wx", "key": "app", "key_1": "a"}"#
            #expect(try OneShotHTTP.send("POST", platform.url + "/api/secret", json: secret).status == 200)
            try body(platform)
        }
    }

    private func token(_ url: String) throws -> JSON.Value {
        let answer = try OneShotHTTP.send("GET", url + "/api/token?realm=wx&key=app")
        try #require(answer.status == 200, "\(answer.text)")
        return try answer.json()
    }

    @Test func `both functions answer, and the timer can be fired`() throws {
        try run { platform in
            #expect(try token(platform.url)["source"] == "upstream")
            #expect(try token(platform.url)["source"] == "database")
            _ = try token(platform.cache)
            #expect(try token(platform.cache)["source"] == "memory")
            let fired = try OneShotHTTP.send("POST", platform.url + "/_event-server/fire")
            #expect(fired.status == 200)
            #expect(try fired.json()["refreshed"] == 0)
            let account = try OneShotHTTP.send("GET", platform.url + "/_event-server/invocations").json()
            #expect(account["totals"]?["instances_started"] == 1)
            #expect((account["totals"]?["invocations"]?.number?.integer ?? 0) >= 5)
            #expect(account["totals"]?["failures"] == 0)
            #expect(platform.process.output.contains("FC Invoke Start RequestId: "))
        }
    }

    @Test func `what only the platform may say cannot come from outside`() throws {
        try run { platform in
            let forged = [(name: "x-fc-control-path", value: "/pre-stop"), (name: "x-fc-request-id", value: "forged")]
            let answer = try OneShotHTTP.send("GET", platform.url + "/pre-stop", fields: forged)
            #expect(answer.status == 404)
            #expect(!answer.text.contains("forged"))
            #expect(answer["x-fc-request-id"] != nil)
            #expect(answer["x-fc-status"] == nil)
            let long = [(name: "x-long", value: String(repeating: "a", count: 8_200))]
            let refused = try OneShotHTTP.send("GET", platform.url + "/pong", fields: long)
            #expect(refused.status == 400)
            #expect(try refused.json()["ErrorCode"] == "InvalidArgument")
            let target = "/pong?" + String(repeating: "a", count: 4_100)
            #expect(try OneShotHTTP.send("GET", platform.url + target).status == 400)
        }
    }

    @Test func `beyond what its instances take the platform says 429, and starts another where it may`() throws {
        for (instances, expected) in [(1, Set([200, 429])), (2, Set([200]))] {
            let provider = try GatedProvider()
            defer { provider.stop() }
            let options = ["--instance-concurrency", "20", "--concurrency", "\(instances)"]
            try run(options, gated: provider) { platform in
                _ = try token(platform.url)
                let statuses = Lock<[Int]>([])
                // Nobody is answered before all are there: those beyond the limit are refused, or there is another instance.
                provider.close()
                concurrently(31) { number in
                    if number == 30 {
                        wait(within: .seconds(12)) {
                            instances == 1 ? statuses.withLock { $0.count } == 10 : (try? started(platform)) == 2
                        }
                        provider.open()
                    } else {
                        let flush = platform.url + "/api/token?realm=wx&key=app&flush=true"
                        let answer = try? OneShotHTTP.send("GET", flush)
                        statuses.withLock { $0.append(answer?.status ?? 0) }
                    }
                }
                #expect(Set(statuses.withLock { $0 }) == expected)
                if instances == 1 { #expect(statuses.withLock { $0.count { $0 == 429 } } == 10) }
                #expect(try started(platform) == Int64(instances))
            }
        }
    }

    /// How many instances of `token-server` were started.
    private func started(_ platform: LocalPlatform) throws -> Int64? {
        let account = try OneShotHTTP.send("GET", platform.url + "/_event-server/invocations").json()
        return account["totals"]?["instances_started"]?.number?.integer
    }

    @Test func `a function that is killed is a 502 for who was on it, and the next one is started`() throws {
        let provider = try GatedProvider()
        defer { provider.stop() }
        try run(gated: provider) { platform in
            _ = try token(platform.url)
            provider.close()
            defer { provider.open() }
            Thread.detachNewThread {
                // It is killed while the provider has its call.
                wait(within: .seconds(12)) { provider.calls == 2 }
                for member in platform.process.members {
                    let name = try? String(contentsOf: URL(filePath: "/proc/\(member)/comm"), encoding: .utf8)
                    if name == "token-server\n" { kill(member, SIGKILL) }
                }
            }
            let lost = try OneShotHTTP.send("GET", platform.url + "/api/token?realm=wx&key=app&flush=true")
            #expect(lost.status == 502)
            #expect(try lost.json()["ErrorCode"] == "ProcessExited")
            #expect(try token(platform.url)["generation"] == 1)
        }
    }
}
