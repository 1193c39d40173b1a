import FakeProvider
import HTTP
import JSON
import Testing

@Suite struct WeChatRuleTests {
    // MARK: The classic token

    @Test func `a success has a long token, its life and no errcode`() throws {
        var bench = ProviderBench()
        let answer = try bench.classic()
        #expect(try answer.accessToken.utf8.count > 128)
        #expect(answer["expires_in"] == 7_200)
        #expect(answer["errcode"] == nil)
    }

    @Test func `a mint kills the token before after 300 seconds`() throws {
        var bench = ProviderBench()
        let first = try bench.classic().accessToken
        bench.wait(.seconds(10))
        let second = try bench.classic().accessToken
        #expect(first != second)
        bench.wait(.seconds(299))
        #expect(try bench.isAlive(first))
        bench.wait(.seconds(1))
        #expect(try !bench.isAlive(first))
        #expect(try bench.isAlive(second))
    }

    @Test func `only the newest two live`() throws {
        var bench = ProviderBench()
        let tokens = try (0..<3).map { _ in try bench.classic().accessToken }
        #expect(try tokens.map { try bench.isAlive($0) } == [false, true, true])
    }

    @Test func `a token dies at the end of its life, and an overlap prolongs none`() throws {
        var bench = ProviderBench(Settings(life: .seconds(400)))
        let first = try bench.classic().accessToken
        bench.wait(.seconds(300))
        let second = try bench.classic().accessToken
        bench.wait(.seconds(100))
        #expect(try !bench.isAlive(first))
        bench.wait(.seconds(299))
        #expect(try bench.isAlive(second))
        bench.wait(.seconds(1))
        #expect(try !bench.isAlive(second))
    }

    @Test func `applications do not touch each other's tokens`() throws {
        var bench = ProviderBench()
        let first = try bench.classic("a").accessToken
        for _ in 0..<3 { _ = try bench.classic("b") }
        #expect(try bench.isAlive(first))
    }

    @Test func `2000 calls a day and application, then 45009 until midnight in Beijing`() throws {
        var bench = ProviderBench()
        for _ in 0..<2_000 { #expect(try bench.classic().errcode == nil) }
        #expect(try bench.classic().errcode == 45_009)
        #expect(try bench.classic("other").errcode == nil)
        // The bench starts at 16:00 in Beijing.
        bench.wait(.seconds(8 * 3_600 - 1))
        #expect(try bench.classic().errcode == 45_009)
        bench.wait(.seconds(1))
        #expect(try bench.classic().errcode == nil)
    }

    @Test(arguments: [
        ("grant_type=client_credential&secret=s", 41_002), ("grant_type=client_credential&appid=&secret=s", 41_002),
        ("grant_type=client_credential&appid=a", 41_004), ("grant_type=client_credentials&appid=a&secret=s", 40_002),
        ("appid=a&secret=s", 40_002), ("grant_type=client_credential&appid=x&secret=s", 40_013),
        ("grant_type=client_credential&appid=a&secret=x", 40_125),
    ])
    func `a refusal is HTTP 200 with a code and a request id`(query: String, code: Int64) throws {
        var bench = ProviderBench(Settings(applications: ["a": "s"]))
        let answer = try bench.call(.get, "/cgi-bin/token", query: query)
        #expect(answer.errcode == code)
        #expect(answer["errmsg"]?.string?.contains(/rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/) == true)
        #expect(answer["access_token"] == nil)
    }

    @Test func `without a list every application is taken but those that start with bad`() throws {
        var bench = ProviderBench()
        #expect(try bench.classic("anything", secret: "whatever").errcode == nil)
        #expect(try bench.classic("bad1").errcode == 40_013)
        #expect(try bench.classic("a", secret: "bad").errcode == 40_125)
    }

    @Test func `an address that is not on the list is named in the refusal, and costs no quota`() throws {
        var bench = ProviderBench(Settings(allowedAddresses: ["198.51.100.7"]))
        let refused = try bench.classic(from: "192.0.2.1")
        #expect(refused.errcode == 40_164)
        #expect(
            refused["errmsg"]?.string?.hasPrefix("invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist") == true
        )
        #expect(try bench.classic(from: "198.51.100.7").errcode == nil)
    }

    // MARK: The stable token

    @Test func `the stable token is the same until its last 300 seconds`() throws {
        var bench = ProviderBench()
        let first = try bench.stable().accessToken
        bench.wait(.seconds(6_899))
        let same = try bench.stable()
        #expect(try same.accessToken == first)
        #expect(same["expires_in"] == 301)
        bench.wait(.seconds(1))
        let second = try bench.stable()
        #expect(try second.accessToken != first)
        #expect(second["expires_in"] == 7_200)
        bench.wait(.seconds(299))
        #expect(try bench.isAlive(first))
        bench.wait(.seconds(1))
        #expect(try !bench.isAlive(first))
    }

    @Test func `the two token endpoints do not touch each other's tokens`() throws {
        var bench = ProviderBench()
        let stable = try bench.stable().accessToken
        let classic = try bench.classic().accessToken
        for _ in 0..<3 { _ = try bench.classic() }
        #expect(try bench.isAlive(stable))
        #expect(try bench.stable().accessToken == stable)
        #expect(try !bench.isAlive(classic))
    }

    @Test func `a forced refresh mints, and one within 30 seconds of another counts as a normal call`() throws {
        var bench = ProviderBench()
        let first = try bench.stable().accessToken
        let second = try bench.stable(force: true).accessToken
        #expect(second != first)
        bench.wait(.seconds(29))
        #expect(try bench.stable(force: true).accessToken == second)
        #expect(try bench.isAlive(first))
        bench.wait(.seconds(1))
        #expect(try bench.stable(force: true).accessToken != second)
        // Two forced refreshes end a leaked token at once.
        #expect(try !bench.isAlive(first))
    }

    @Test func `20 forced refreshes a day`() throws {
        var bench = ProviderBench()
        for _ in 0..<20 {
            #expect(try bench.stable(force: true).errcode == nil)
            bench.wait(.seconds(30))
        }
        #expect(try bench.stable(force: true).errcode == 45_009)
        #expect(try bench.stable().errcode == nil)
    }

    @Test(arguments: [
        ("", 47_001), ("[]", 47_001),
        (#"{"grant_type":"client_credential","appid":"a","secret":"s","force_refresh":"yes"}"#, 47_001),
        (#"{"grant_type":"client_credential","secret":"s"}"#, 41_002), (#"{"appid":"a","secret":"s"}"#, 40_002),
    ])
    func `a stable call must be right JSON`(body: String, code: Int64) throws {
        var bench = ProviderBench()
        #expect(try bench.call(.post, "/cgi-bin/stable_token", body: body).errcode == code)
    }

    // MARK: Tickets

    @Test func `a ticket needs a live token and stays the same while it is valid`() throws {
        var bench = ProviderBench()
        let token = try bench.stable().accessToken
        func ticket(_ token: String, _ kind: String, _ bench: inout ProviderBench) throws -> Value {
            try bench.call(.get, "/cgi-bin/ticket/getticket", query: "access_token=\(token)&type=\(kind)")
        }
        let first = try ticket(token, "jsapi", &bench)
        #expect(first.errcode == 0)
        #expect(first["errmsg"] == "ok")
        bench.wait(.seconds(60))
        let again = try ticket(token, "jsapi", &bench)
        #expect(again["ticket"] == first["ticket"])
        #expect(again["expires_in"] == 7_200)
        #expect(try ticket(token, "wx_card", &bench)["ticket"] != first["ticket"])
        #expect(try ticket(token, "other", &bench).errcode == 40_097)
        #expect(try ticket("nonsense", "jsapi", &bench).errcode == 40_001)
        bench.wait(.seconds(7_200))
        #expect(try ticket(token, "jsapi", &bench).errcode == 40_001)
        let later = try ticket(bench.stable().accessToken, "jsapi", &bench)
        #expect(later["ticket"] != first["ticket"])
    }
}
