import Fibers
import Foundation
import Locks
import Testing

/// Calls that fibers of one thread share.
@Suite struct SharedCallsTests {
    /// What happened, in order; used on one thread.
    private final class World {
        let loop: EventLoop
        let calls = SharedCalls<String, Int>()
        var events: [String] = []
        var made = 0
        private var fibers: [Fiber] = []

        init() throws {
            loop = try #require(EventLoop())
            loop.enter()
        }

        /// A fiber that asks for a key, and notes what it gets.
        func ask(_ key: String, as name: String, on other: EventLoop? = nil, _ call: @escaping () -> Void = {}) {
            let fiber = Fiber(on: other ?? loop) { [unowned self] in
                events.append("\(name) asks")
                let value = calls.value(of: key) {
                    made += 1
                    let number = made
                    events.append("call \(number)")
                    call()
                    return number
                }
                events.append("\(name) has \(value)")
            }
            fibers.append(fiber)
            fiber.resume()
        }

        func turn() { loop.turn(atMost: .milliseconds(1)) }
    }

    @Test func `a call begins after all of its turn have asked, and all get what it found`() throws {
        let world = try World()
        for name in ["a", "b", "c"] { world.ask("x", as: name) }
        #expect(world.events == ["a asks", "b asks", "c asks"])
        world.turn()
        #expect(world.made == 1)
        #expect(world.events[3] == "call 1")
        #expect(Set(world.events.suffix(3)) == ["a has 1", "b has 1", "c has 1"])
    }

    @Test func `who asks after a call has begun gets one of its own, though the first is still under way`() throws {
        let world = try World()
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let readEnd = ends[0]
        world.ask("x", as: "a") { _ = Fiber.waitUntil(.readable, readEnd, milliseconds: 60_000) }
        world.turn()
        #expect(world.events == ["a asks", "call 1"])
        world.ask("x", as: "b")
        world.ask("x", as: "c")
        world.turn()
        #expect(Set(world.events.suffix(2)) == ["b has 2", "c has 2"])
        _ = write(ends[1], "x", 1)
        for _ in 0..<10_000 where world.events.last != "a has 1" { world.turn() }
        #expect(world.events.last == "a has 1")
        #expect(world.made == 2)
    }

    @Test func `who is answered and asks again within the turn gets what is found from then on`() throws {
        let world = try World()
        let calls = world.calls
        var found: [[Int]] = [[], [], []]
        let fibers = found.indices.map { index in
            Fiber(on: world.loop) {
                for _ in 0..<50 {
                    found[index].append(
                        calls.value(of: "x") {
                            world.made += 1
                            return world.made
                        })
                }
            }
        }
        for fiber in fibers { fiber.resume() }
        for _ in 0..<200 where found.contains(where: { $0.count < 50 }) { world.turn() }
        // Each goes forward with every answer, and all three stay together.
        for numbers in found { #expect(numbers == (1...50).map { $0 }) }
        #expect(world.made == 50)
    }

    @Test func `other keys, other threads and code off all fibers share nothing`() throws {
        let world = try World()
        let other = try #require(EventLoop())
        world.ask("x", as: "a")
        world.ask("y", as: "b")
        world.ask("x", as: "c", on: other)
        #expect(world.calls.value(of: "x") { 99 } == 99)
        world.turn()
        #expect(world.made == 2)
        other.enter()
        other.turn(atMost: .milliseconds(1))
        #expect(world.made == 3)
        #expect(world.events.last == "c has 3")
        // Two that share nothing else have the same key.
        let another = SharedCalls<String, Int>()
        var values: [Int] = []
        let fibers = [world.calls, another].enumerated().map { index, calls in
            Fiber(on: other) { values.append(calls.value(of: "x") { index }) }
        }
        for fiber in fibers { fiber.resume() }
        other.turn(atMost: .milliseconds(1))
        #expect(values == [0, 1])
    }
}
