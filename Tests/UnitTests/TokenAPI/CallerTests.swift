import Clocks
import HTTP
import JSON
import TestKit
import Testing
import TokenAPI
import Tokens

/// Addresses and last uses.
@Suite struct CallerTests {
    // MARK: Who was refused

    private func notes(_ answer: World.Answer) -> [String: String] {
        Dictionary(answer.response.notes.map { ($0.name, $0.value) }) { $1 }
    }

    @Test func `the line of a refused caller says from where, and the public part of the key that it showed`() throws {
        let limiter = RateLimiter(refusedAddress: (1, 3))
        let world = try World.withKeys([], ["TRUSTED_PROXIES": "10.0.0.0/8"], limiter: limiter)
        let bound = try world.makeKey(#"{"role":"reader","ip":["203.0.113.9"]}"#)
        let expiry = (world.clock.now().wall + .seconds(60)).milliseconds
        let expiring = try world.makeKey(#"{"role":"reader","expires_at":\#(expiry)}"#)
        let secret = String(repeating: "c0ffee42", count: 8)
        func refusal(_ key: String, _ status: Int, from address: String) throws -> [String: String] {
            let token = "/api/token?realm=wx&key=app"
            for target in [token, "/api/realm"] {
                let answer = try world.send(
                    .get, target, as: key, from: "10.0.0.1", fields: [Field(.forwardedFor, address)])
                #expect(answer.status == status)
                let notes = notes(answer)
                #expect(notes["address"] == address)
                #expect(notes["caller"] == nil)
                #expect(!notes.values.contains { $0.contains("c0ffee42") || $0.contains(key.suffix(40)) })
                if target != token { return notes }
            }
            return [:]
        }
        #expect(try refusal(bound.key, 403, from: "198.51.100.7")["shown_key"] == bound.id)
        world.clock.advance(by: .seconds(61))
        #expect(try refusal(expiring.key, 401, from: "198.51.100.8")["shown_key"] == expiring.id)
        let unknown = "ts_0123456789abcdef_" + secret
        #expect(try refusal(unknown, 401, from: "2001:db8::1:0:0:2")["shown_key"] == "0123456789abcdef")
        // What has not the form of a key could be a secret of another kind.
        #expect(try refusal("ts_" + secret, 401, from: "198.51.100.9")["shown_key"] == nil)
        // Somebody who is held back before anything is read.
        _ = try world.send(.get, "/api/realm", as: unknown, from: "2001:db8::1:0:0:2")
        let held = try refusal("ts_00000000000000aa_" + secret, 429, from: "2001:db8::1:0:0:2")
        #expect(held["shown_key"] == "00000000000000aa")
        let keyless = notes(try world.send(.get, "/api/realm", from: "198.51.100.11"))
        #expect(keyless["address"] == "198.51.100.11")
        #expect(notes(try world.send(.get, "/api/realm", as: World.key, from: "198.51.100.11"))["address"] == nil)
        #expect(notes(try world.send(.get, "/pong", from: "198.51.100.11"))["address"] == nil)
    }

    @Test(arguments: [
        "0.0.0.0", "203.0.113.9", "::", "::1", "1::", "2001:db8::1:0:0:2", "2001:db8:0:1:1:1:1:1", "1:0:0:2::3",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ])
    func `an address is written in its one canonical form`(text: String) throws {
        #expect(IPAddress(text)?.description == text)
    }

    // MARK: Addresses

    @Test(arguments: [
        ("203.0.113.9", "203.0.113.9", true), ("203.0.113.9", "203.0.113.10", false),
        ("2.3.4.5", "12.3.4.5", false), ("12.3.4.5", "2.3.4.5", false), ("203.0.113.0/24", "203.0.113.255", true),
        ("203.0.113.0/24", "203.0.114.0", false), ("0.0.0.0/0", "198.51.100.1", true), ("0.0.0.0/0", "::1", false),
        ("203.0.113.9", "::ffff:203.0.113.9", true), ("::ffff:203.0.113.9", "203.0.113.9", true),
        ("::ffff:203.0.113.0/120", "203.0.113.77", true), ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false), ("2001:db8::/33", "2001:db8:8000::1", false),
        ("2001:db8::1:0/112", "2001:db8::1:ffff", true), ("2001:db8::1:0/112", "2001:db8::2:0", false),
        ("::/0", "2001:db8::1", true), ("::/0", "203.0.113.9", false),
    ])
    func `an address is in a range or not, parsed as what it is`(range: String, address: String, isIn: Bool) throws {
        let world = try World.withKeys()
        let key = try world.makeKey(#"{"role":"operator","ip":["\#(range)"]}"#).key
        let answer = try world.send(.get, "/api/realm", as: key, from: address)
        #expect(answer.status == (isIn ? 200 : 403))
        #expect(isIn || answer.json["type"] == "/problems/address-not-allowed")
    }

    /// What the platform says of the connection, `X-Forwarded-For`, the listed proxies, and whether the caller is 203.0.113.9.
    static let chains: [(source: String?, header: String?, proxies: String, isCaller: Bool)] = [
        ("203.0.113.9", nil, "", true),
        // Without a listed proxy a header says nothing where the platform says something.
        ("198.51.100.1", "203.0.113.9", "", false),
        ("203.0.113.9", "198.51.100.1", "", true),
        // Where only a header tells, its last entry is the balancer's word.
        (nil, "203.0.113.9", "", true),
        (nil, "203.0.113.9, 198.51.100.1", "", false),
        (nil, "198.51.100.1, 203.0.113.9", "", true),
        (nil, "198.51.100.1,203.0.113.9:4711", "", true),
        // Listed proxies are walked past, from the right, up to the first that is none.
        ("10.0.0.1", "203.0.113.9", "10.0.0.0/8", true),
        ("10.0.0.1", "203.0.113.9, 10.1.2.3", "10.0.0.0/8", true),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", "10.0.0.0/8", false),
        ("::ffff:10.0.0.1", "203.0.113.9", "10.0.0.0/8, ::1", true),
        ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.0/8", false),
        ("10.0.0.1", "", "10.0.0.0/8", false),
        (nil, nil, "", false),
        (nil, "unknown", "", false),
    ]

    @Test(arguments: chains.indices)
    func `the caller's address is the last that no listed proxy wrote`(index: Int) throws {
        let chain = Self.chains[index]
        let world = try World.withKeys([], ["TRUSTED_PROXIES": chain.proxies])
        let key = try world.makeKey(#"{"role":"operator","ip":["203.0.113.9"]}"#).key
        let fields = chain.header.map { [Field(.forwardedFor, $0)] } ?? []
        let answer = try world.send(.get, "/api/realm", as: key, from: chain.source, fields: fields)
        #expect(answer.status == (chain.isCaller ? 200 : 403))
    }

    @Test func `fields that only look like the one that counts are not believed`() throws {
        let world = try World.withKeys([], ["TRUSTED_PROXIES": "10.0.0.1"])
        let key = try world.makeKey(#"{"role":"operator","ip":["203.0.113.9"]}"#).key
        for name in ["x-real-ip", "x_forwarded_for", "forwarded", "x-client-ip", "cf-connecting-ip", "true-client-ip"] {
            let field = Field(try #require(Field.Name(name)), "203.0.113.9")
            #expect(try world.send(.get, "/api/realm", as: key, from: "10.0.0.1", fields: [field]).status == 403)
        }
    }

    @Test(arguments: [
        ("nonsense", 1), ("10.0.0.0/8,", 2), ("10.0.0.0/8, 10.0.0.1/8", 2), ("::1, canary", 2), ("10.0.0.0/33", 1),
        (",", 1),
    ])
    func `a list of proxies that cannot be used is one line that names its variable`(text: String, entry: Int) throws {
        let failure = #expect(throws: Settings.Failure.self) {
            _ = try Settings(environment: { $0 == "TRUSTED_PROXIES" ? text : nil })
        }
        #expect(failure?.variable == "TRUSTED_PROXIES")
        #expect(failure?.message == "entry \(entry) is no address and no range of addresses")
    }

    // MARK: Last use

    private func usedAt(_ id: String, _ world: World) throws -> Timestamp? {
        try #require(try world.store.key(id)).grant.usedAt
    }

    @Test func `a hit writes nothing of a key's use, the next request that is more does`() throws {
        let world = try World.withKeys([World.token("T"), World.token("U")])
        try world.registerAsAdministrator("a")
        #expect(try world.send(.get, "/api/token?realm=a&key=app", as: World.key).status == 200)
        let reader = try world.makeKey(#"{"role":"reader"}"#)
        let first = world.clock.now().wall
        #expect(try world.send(.get, "/api/token?realm=a&key=app", as: reader.key).json["source"] == "database")
        #expect(try usedAt(reader.id, world) == nil)
        #expect(try world.send(.get, "/api/key/\(reader.id)", as: World.key).json["used_at"] == .string(first.iso8601))
        #expect(try usedAt(reader.id, world) == first)
        // Within the hour nothing is written again, not even by a request that could.
        world.clock.advance(by: .seconds(3_599))
        _ = try world.send(.get, "/api/realm", as: reader.key)
        #expect(try usedAt(reader.id, world) == first)
        world.clock.advance(by: .seconds(1))
        #expect(
            try world.send(.get, "/api/token?realm=a&key=app&flush=true", as: reader.key).json["source"] == "upstream")
        #expect(try usedAt(reader.id, world) == first + .seconds(3_600))
    }
}
