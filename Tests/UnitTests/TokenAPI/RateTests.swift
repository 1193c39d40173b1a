import Clocks
import HTTP
import JSON
import TestKit
import Testing
import TokenAPI
import Tokens

/// How often keys may be shown, good ones and bad ones.
@Suite struct RateTests {
    /// A key that looks like one and is none; each number makes another.
    private func bad(_ number: Int) -> String {
        let digits = String(number)
        return "ts_0123456789abcdef_" + String(repeating: "0", count: 64 - digits.count) + digits
    }

    private func status(_ world: World, _ key: String, from address: String) throws -> Int {
        try world.send(.get, "/api/realm", as: key, from: address).status
    }

    // MARK: Keys that are let in

    @Test func `a key that asks too often is told when to come back, and no other is`() throws {
        let limiter = RateLimiter(key: (2, 5), refusedAddress: (1, 3))
        let world = try World.withKeys(limiter: limiter)
        let busy = try world.makeKey(#"{"role":"operator"}"#)
        let other = try world.makeKey(#"{"role":"operator"}"#).key
        for _ in 0..<5 { #expect(try world.send(.get, "/api/realm", as: busy.key).status == 200) }
        let refused = try world.send(.get, "/api/token?realm=a&key=b", as: busy.key)
        #expect(refused.status == 429)
        #expect(refused.header(.retryAfter) == "1")
        #expect(try world.send(.get, "/api/realm", as: other).status == 200)
        // Nobody uses the bucket up who only knows the public part of the key.
        world.clock.advance(by: .milliseconds(500))
        let wrong = "ts_\(busy.id)_" + String(repeating: "0", count: 64)
        #expect(try world.send(.get, "/api/realm", as: wrong).status == 401)
        #expect(try world.send(.get, "/api/realm", as: busy.key).status == 200)
        #expect(try world.send(.get, "/api/realm", as: busy.key).status == 429)
        world.clock.advance(by: .seconds(60))
        for _ in 0..<5 { #expect(try world.send(.get, "/api/realm", as: busy.key).status == 200) }
        #expect(try world.send(.get, "/api/realm", as: busy.key).status == 429)
    }

    @Test func `an address that shows bad keys is held back, and good keys from it are not`() throws {
        let limiter = RateLimiter(key: (100, 100), refusedAddress: (1, 3))
        let world = try World.withKeys(limiter: limiter)
        let good = try world.makeKey(#"{"role":"operator"}"#).key
        #expect(try world.send(.get, "/api/realm", as: good, from: "2001:db8::1").status == 200)
        let zeros = String(repeating: "0", count: 63)
        func guess(_ number: Int, from address: String) throws -> Int {
            try world.send(.get, "/api/realm", as: "ts_0123456789abcdef_\(zeros)\(number)", from: address).status
        }
        // Neighbours in one network are one guesser; what cannot be a key counts as well.
        for number in 0..<2 { #expect(try guess(number, from: "2001:db8::\(number)") == 401) }
        #expect(try world.send(.get, "/api/realm", as: "nonsense", from: "2001:db8::2").status == 401)
        #expect(try guess(3, from: "2001:db8::3") == 429)
        #expect(try guess(3, from: "2001:db8:0:1::3") == 401)
        #expect(try world.send(.get, "/api/realm", as: good, from: "2001:db8::1").status == 200)
        world.clock.advance(by: .seconds(1))
        #expect(try guess(4, from: "2001:db8::3") == 401)
        #expect(try guess(5, from: "2001:db8::3") == 429)
    }

    @Test func `without keys nobody is counted`() throws {
        let limiter = RateLimiter(key: (1, 1), refusedKey: (1, 1), refusedAddress: (1, 1), refused: (1, 1))
        let world = try World(limiter: limiter)
        for _ in 0..<5 { #expect(try world.send(.get, "/api/realm").status == 200) }
    }

    // MARK: Good keys among bad ones

    @Test func `a good key gets in at its first request from an address whose bad keys are held back`() throws {
        let world = try World.withKeys(limiter: RateLimiter(refusedAddress: (1, 3)))
        let good = try (0..<3).map { _ in try world.makeKey(#"{"role":"operator"}"#).key }
        let expiresAt = (world.clock.now().wall + .seconds(1)).milliseconds
        let expired = try world.makeKey(#"{"role":"operator","expires_at":\#(expiresAt)}"#).key
        world.clock.advance(by: .seconds(1))
        for number in 0..<3 { #expect(try status(world, bad(number), from: "203.0.113.9") == 401) }
        #expect(try status(world, bad(4), from: "203.0.113.9") == 429)
        // None of them has been seen by this instance.
        for key in good { #expect(try status(world, key, from: "203.0.113.9") == 200) }
        #expect(try status(world, World.key, from: "203.0.113.9") == 200)
        #expect(try status(world, expired, from: "203.0.113.9") == 429)
        #expect(try status(world, bad(5), from: "203.0.113.9") == 429)
    }

    @Test func `a key that was just made gets in within a second where bad ones are held back`() throws {
        let world = try World.withKeys(limiter: RateLimiter(refusedAddress: (1, 1)))
        #expect(try status(world, bad(0), from: "203.0.113.9") == 401)
        #expect(try status(world, bad(1), from: "203.0.113.9") == 429)
        let made = try world.makeKey(#"{"role":"operator"}"#).key
        let refused = try world.send(.get, "/api/realm", as: made, from: "203.0.113.9")
        #expect(refused.status == 429)
        #expect(refused.header(.retryAfter) == "1")
        world.clock.advance(by: .milliseconds(999))
        #expect(try status(world, made, from: "203.0.113.9") == 429)
        world.clock.advance(by: .milliseconds(1))
        #expect(try status(world, bad(2), from: "203.0.113.9") == 401)
        #expect(try status(world, made, from: "203.0.113.9") == 200)
    }

    @Test func `bad keys from many addresses are held back together, and good keys from anywhere are not`() throws {
        // As many addresses as the table holds make it forget them; what they did together stays counted.
        let world = try World.withKeys(limiter: RateLimiter(refused: (1, 10), limit: 4))
        let good = try world.makeKey(#"{"role":"operator"}"#).key
        for number in 0..<10 { #expect(try status(world, bad(number), from: "203.0.113.\(number)") == 401) }
        for number in 10..<20 { #expect(try status(world, bad(number), from: "203.0.113.\(number)") == 429) }
        #expect(try status(world, good, from: "203.0.113.99") == 200)
        world.clock.advance(by: .seconds(1))
        #expect(try status(world, bad(20), from: "203.0.113.20") == 401)
        #expect(try status(world, bad(21), from: "203.0.113.21") == 429)
    }

    @Test func `nobody waits for another's reading of the stored keys, and one reading serves a second`() throws {
        let limiter = RateLimiter()
        let clock = ManualClock()
        var readings = 0
        func isStored(_ digest: [UInt8], _ stored: [[UInt8]], meanwhile: () throws -> Void = {}) throws -> Bool {
            try limiter.isStored(digest, at: clock.now()) { _ throws(StoreError) in
                readings += 1
                do { try meanwhile() } catch { throw .broken("\(error)") }
                return stored
            }
        }
        let isFirst = try isStored([1], [[1]]) {
            let isSecond = try isStored([2], [[1], [2]])
            #expect(isSecond)
        }
        #expect(isFirst)
        #expect(readings == 2)
        #expect(try isStored([1], []))
        #expect(try !isStored([3], [[3]]))
        #expect(readings == 2)
        clock.advance(by: .seconds(1))
        #expect(try isStored([3], [[3]]))
        #expect(readings == 3)
    }

    // MARK: Keys that are good no more, or not here

    @Test func `a key that has expired is held back`() throws {
        let world = try World.withKeys(limiter: RateLimiter(refusedKey: (1, 3)))
        let expiresAt = (world.clock.now().wall + .seconds(60)).milliseconds
        let key = try world.makeKey(#"{"role":"operator","expires_at":\#(expiresAt)}"#).key
        #expect(try status(world, key, from: "203.0.113.9") == 200)
        world.clock.advance(by: .seconds(60))
        let statuses = try (0..<5).map { _ in try status(world, key, from: "203.0.113.9") }
        #expect(statuses == [401, 401, 401, 429, 429])
        world.clock.advance(by: .seconds(1))
        #expect(try status(world, key, from: "203.0.113.9") == 401)
        #expect(try status(world, key, from: "203.0.113.9") == 429)
    }

    @Test func `a key that was deleted is held back`() throws {
        let world = try World.withKeys(limiter: RateLimiter(refusedKey: (1, 2)))
        let made = try world.makeKey(#"{"role":"operator"}"#)
        #expect(try status(world, made.key, from: "203.0.113.9") == 200)
        #expect(try world.send(.delete, "/api/key/\(made.id)", as: World.key).status == 204)
        let statuses = try (0..<4).map { _ in try status(world, made.key, from: "203.0.113.9") }
        #expect(statuses == [401, 401, 429, 429])
    }

    @Test func `a key at an address that it is not for is held back there, and its holder is not`() throws {
        let limiter = RateLimiter(key: (1, 4), refusedKey: (1, 3), refusedAddress: (1, 1_000))
        let world = try World.withKeys(limiter: limiter)
        let key = try world.makeKey(#"{"role":"operator","ip":["203.0.113.9"]}"#).key
        #expect(try status(world, key, from: "203.0.113.9") == 200)
        for last in 10..<14 {
            let statuses = try (0..<5).map { _ in try status(world, key, from: "203.0.113.\(last)") }
            #expect(statuses == [403, 403, 403, 429, 429])
        }
        // What was tried elsewhere took nothing of the key's own count.
        let statuses = try (0..<4).map { _ in try status(world, key, from: "203.0.113.9") }
        #expect(statuses == [200, 200, 200, 429])
    }

    @Test func `expired keys and keys at a wrong address count against the address`() throws {
        let world = try World.withKeys(limiter: RateLimiter(refusedAddress: (1, 4)))
        let expiresAt = (world.clock.now().wall + .seconds(1)).milliseconds
        let expired = try (0..<3).map { _ in
            try world.makeKey(#"{"role":"operator","expires_at":\#(expiresAt)}"#).key
        }
        let elsewhere = try world.makeKey(#"{"role":"operator","ip":["198.51.100.1"]}"#).key
        world.clock.advance(by: .seconds(1))
        for key in expired { #expect(try status(world, key, from: "203.0.113.9") == 401) }
        #expect(try status(world, elsewhere, from: "203.0.113.9") == 403)
        #expect(try status(world, bad(0), from: "203.0.113.9") == 429)
    }
}
