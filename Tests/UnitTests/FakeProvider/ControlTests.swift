import Clocks
import FakeProvider
import HTTP
import JSON
import Testing

@Suite struct ControlTests {
    @Test func `the counters tell calls, mints and what is alive`() throws {
        var bench = ProviderBench()
        let token = try bench.classic("wx1").accessToken
        _ = try bench.classic("bad")
        _ = try bench.call(.get, "/cgi-bin/ticket/getticket", query: "access_token=\(token)&type=jsapi")
        let counters = try bench.call(.get, "/_fake-provider/counters")
        #expect(counters["calls"] == 3)
        #expect(counters["minted"] == 2)
        #expect(
            counters["by_app"] == [
                ["endpoint": "/cgi-bin/ticket/getticket", "app": "wx1", "calls": 1, "minted": 1, "dead": 0],
                ["endpoint": "/cgi-bin/token", "app": "bad", "calls": 1, "minted": 0, "dead": 0],
                ["endpoint": "/cgi-bin/token", "app": "wx1", "calls": 1, "minted": 1, "dead": 0],
            ])
        #expect(counters["alive"]?.array?.count == 2)
        bench.wait(.seconds(7_200))
        #expect(try bench.call(.get, "/_fake-provider/counters")["alive"] == [])
    }

    @Test func `uses of a dead token are counted and told, those of an unknown one are not`() throws {
        var bench = ProviderBench()
        let token = try bench.classic("wx1").accessToken
        let died = bench.now + .seconds(7_200)
        func use(_ token: String, _ bench: inout ProviderBench) throws {
            _ = try bench.call(.get, "/cgi-bin/ticket/getticket", query: "access_token=\(token)&type=jsapi")
        }
        try use(token, &bench)
        bench.wait(.seconds(7_199))
        try use(token, &bench)
        #expect(try bench.call(.get, "/_fake-provider/counters")["dead_uses"] == [])
        bench.wait(.seconds(2))
        try use(token, &bench)
        try use("unknown", &bench)
        let counters = try bench.call(.get, "/_fake-provider/counters")
        #expect(
            counters["dead_uses"] == [
                ["app": "wx1", "used_at": Value(bench.now.milliseconds), "died_at": Value(died.milliseconds)]
            ])
        let row = counters["by_app"]?.array?.first { $0["app"] == "wx1" }
        #expect(row?["calls"] == 3)
        #expect(row?["dead"] == 1)
    }

    @Test func `the clock advances on request`() throws {
        var bench = ProviderBench()
        let token = try bench.classic().accessToken
        let clock = try bench.call(.post, "/_fake-provider/clock", body: #"{"advance_seconds":7200}"#)
        #expect(clock["advanced_seconds"] == 7_200)
        #expect(clock["now"] == Value(bench.now.milliseconds + 7_200_000))
        #expect(try !bench.isAlive(token))
    }

    @Test func `a revoked token is dead at once, an unknown one is not found`() throws {
        var bench = ProviderBench()
        let token = try bench.classic().accessToken
        _ = try bench.call(.post, "/_fake-provider/revoke", body: #"{"token":"\#(token)"}"#)
        #expect(try !bench.isAlive(token))
        #expect(try bench.call(.post, "/_fake-provider/revoke", body: #"{"token":"x"}"#)["status"] == 404)
        #expect(try bench.call(.get, "/_fake-provider/token", query: "token=x") == ["alive": false, "dies_at": nil])
    }

    @Test(arguments: Fault.allCases)
    func `a fault is served as often as asked for and mints as its table says`(fault: Fault) throws {
        var bench = ProviderBench()
        _ = try bench.call(
            .post, "/_fake-provider/faults",
            body: #"{"endpoint":"/cgi-bin/token","fault":"\#(fault.rawValue)","times":2}"#)
        let request = Request(.get, path: "/cgi-bin/token", query: "grant_type=client_credential&appid=a&secret=s")
        for _ in 0..<2 { _ = bench.send(request) }
        let counters = try bench.call(.get, "/_fake-provider/counters")
        #expect(counters["minted"] == Value(fault.mints ? 2 : 0))
        #expect(counters["faults_due"] == [])
        #expect(counters["faults_served"]?.array?.first?["times"] == 2)
        #expect(counters["faults_served"]?.array?.first?["minted"] == Value(fault.mints))
        #expect(try bench.classic().errcode == nil)
    }

    @Test func `faults are cleared by DELETE and belong to their endpoint`() throws {
        var bench = ProviderBench()
        _ = try bench.call(
            .post, "/_fake-provider/faults", body: #"{"endpoint":"/cgi-bin/token","fault":"status-500"}"#)
        #expect(try bench.stable().errcode == nil)
        _ = try bench.call(.delete, "/_fake-provider/faults")
        #expect(try bench.classic().errcode == nil)
    }

    @Test(arguments: [
        ("{}", "endpoint"), (#"{"endpoint":"/x","fault":"reset"}"#, "endpoint"),
        (#"{"endpoint":"/cgi-bin/token","fault":"x"}"#, "fault"),
        (#"{"endpoint":"/cgi-bin/token","fault":"reset","times":0}"#, "times"),
        (#"{"endpoint":"/cgi-bin/token","fault":"reset","delay_ms":-1}"#, "delay_ms"),
    ])
    func `a fault that cannot be understood is refused by name`(body: String, field: String) throws {
        var bench = ProviderBench()
        let answer = try bench.call(.post, "/_fake-provider/faults", body: body)
        #expect(answer["status"] == 400)
        #expect(answer["field"] == .string(field))
    }

    @Test func `the page shows the counters and escapes what callers sent`() throws {
        var bench = ProviderBench()
        _ = try bench.classic("%3Cb%3E")
        let page = try #require(bench.send(Request(.get, path: "/")).response)
        let text = String(decoding: page.body, as: UTF8.self)
        #expect(text.contains("<td>&lt;b&gt;<td>1<td>1"))
    }
}
