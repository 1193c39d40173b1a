import Fibers
import Foundation
import Locks
import Testing

/// Calls that fibers of one thread share.
@Suite struct SharedCallsTests {
    private struct Failed: Error, Equatable {
        let number: Int
    }

    private typealias Calls = SharedCalls<String, Int, Int, Failed>

    /// What happened, in order; used on one thread.
    private final class World {
        let loop: EventLoop
        /// Goes on by one with every event.
        private let time = Lock(0)
        let calls: Calls
        var events: [String] = []
        var made = 0
        private var fibers: [Fiber] = []

        init() throws {
            loop = try #require(EventLoop())
            calls = Calls { [time] in time.withLock { $0 } }
        }

        var now: Int { time.withLock { $0 } }

        func note(_ event: String) {
            events.append(event)
            time.withLock { $0 += 1 }
        }

        /// A fiber that asks for a key, and notes what it gets.
        func ask(
            _ key: String, as name: String, arrival: Int? = nil, on other: EventLoop? = nil, failing: Bool = false,
            _ wait: @escaping () -> Void = {}
        ) {
            let fiber = Fiber(on: other ?? loop) { [unowned self] in
                let arrival = arrival ?? now
                note("\(name) asks")
                do throws(Failed) {
                    let value = try calls.value(of: key, arrival: arrival) { () throws(Failed) in
                        made += 1
                        let number = made
                        note("call \(number)")
                        wait()
                        if failing { throw Failed(number: number) }
                        return number
                    }
                    note("\(name) has \(value)")
                } catch {
                    note("\(name) failed by \(error.number)")
                }
            }
            fibers.append(fiber)
            fiber.resume()
        }

        func turn() { loop.turn(atMost: .milliseconds(1)) }
    }

    /// A descriptor to wait for, until the test lets it be read.
    private final class Gate {
        private var ends: [Int32] = [-1, -1]

        init() throws { try #require(pipe(&ends) == 0) }
        deinit { for end in ends { close(end) } }

        func wait() { _ = Fiber.waitUntil(.readable, ends[0], milliseconds: 60_000) }
        func open() { _ = write(ends[1], "x", 1) }
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

    @Test func `a call serves those alone who came before it began, while it is under way and after`() throws {
        let world = try World()
        let (gate, other) = (try Gate(), try Gate())
        // Somebody is on the way all the time.
        world.ask("y", as: "beside", other.wait)
        world.turn()
        let before = world.now
        world.ask("x", as: "a", gate.wait)
        world.turn()
        let began = world.now
        #expect(world.events.last == "call 2")
        world.ask("x", as: "early", arrival: before)
        world.ask("x", as: "late", arrival: began)
        world.turn()
        #expect(world.events.suffix(2) == ["call 3", "late has 3"])
        gate.open()
        for _ in 0..<10_000 where world.events.last != "a has 2" { world.turn() }
        #expect(Set(world.events.suffix(2)) == ["early has 2", "a has 2"])
        // What is over serves whoever had come before, without waiting.
        world.ask("x", as: "slow", arrival: before)
        #expect(world.events.last == "slow has 3")
        world.ask("x", as: "later")
        #expect(world.events.last == "later asks")
        world.turn()
        #expect(world.events.last == "later has 4")
        other.open()
        for _ in 0..<10_000 where world.events.last != "beside has 1" { world.turn() }
        // Nobody is on the way any more, and nothing is kept.
        world.turn()
        world.ask("x", as: "last", arrival: before)
        #expect(world.events.last == "last asks")
        world.turn()
        #expect(world.events.last == "last has 5")
    }

    @Test func `a call that begins at the very moment of an arrival does not serve it`() throws {
        let world = try World()
        let gate = try Gate()
        world.ask("x", as: "a", gate.wait)
        let began = world.now
        world.turn()
        world.ask("x", as: "b", arrival: began)
        world.turn()
        #expect(world.events.last == "b has 2")
        gate.open()
        for _ in 0..<10_000 where world.events.last != "a has 1" { world.turn() }
        #expect(world.events.last == "a has 1")
    }

    @Test func `a failure is for those who wait for it; whoever comes to it later tries again`() throws {
        let world = try World()
        let (gate, other) = (try Gate(), try Gate())
        world.ask("y", as: "beside", other.wait)
        world.turn()
        let before = world.now
        world.ask("x", as: "a", failing: true, gate.wait)
        world.ask("x", as: "b")
        world.turn()
        world.ask("x", as: "c", arrival: before)
        gate.open()
        for _ in 0..<10_000 where world.events.last != "a failed by 2" { world.turn() }
        #expect(Set(world.events.suffix(3)) == ["a failed by 2", "b failed by 2", "c failed by 2"])
        world.ask("x", as: "d", arrival: before)
        world.turn()
        #expect(world.events.last == "d has 3")
        other.open()
        for _ in 0..<10_000 where world.events.last != "beside has 1" { world.turn() }
    }

    @Test func `who is answered and asks again within the turn gets what is found from then on`() throws {
        let world = try World()
        var found: [[Int]] = [[], [], []]
        let fibers = found.indices.map { index in
            Fiber(on: world.loop) {
                for _ in 0..<50 {
                    let value = try? world.calls.value(of: "x", arrival: world.now) {
                        world.note("call")
                        world.made += 1
                        return world.made
                    }
                    found[index].append(value ?? 0)
                }
            }
        }
        for fiber in fibers { fiber.resume() }
        for _ in 0..<200 where found.contains(where: { $0.count < 50 }) { world.turn() }
        // Each goes forward with every answer, and all three stay together.
        for numbers in found { #expect(numbers == (1...50).map { $0 }) }
        #expect(world.made == 50)
    }

    @Test func `however many keys there are, each gets its own`() throws {
        let world = try World()
        for number in 0..<100 {
            world.ask("\(number)", as: "a\(number)")
            world.ask("\(number)", as: "b\(number)")
        }
        world.turn()
        for number in 0..<100 {
            let told = world.events.filter { $0.hasPrefix("a\(number) has") || $0.hasPrefix("b\(number) has") }
            #expect(told.count == 2)
            #expect(Set(told.map { $0.split(separator: " ").last }).count == 1)
        }
        #expect(world.made == 100)
    }

    @Test func `other keys, other threads and code off all fibers share nothing`() throws {
        let world = try World()
        let other = try #require(EventLoop())
        world.ask("x", as: "a")
        world.ask("y", as: "b")
        world.ask("x", as: "c", on: other)
        let off = try world.calls.value(of: "x", arrival: 0) { 99 }
        #expect(off == 99)
        world.turn()
        #expect(world.made == 2)
        other.turn(atMost: .milliseconds(1))
        #expect(world.made == 3)
        #expect(world.events.last == "c has 3")
        // Two that share nothing else have the same key.
        let another = Calls { 0 }
        var values: [Int] = []
        let fibers = [world.calls, another].enumerated().map { index, calls in
            Fiber(on: other) { values.append((try? calls.value(of: "x", arrival: 0) { index }) ?? -1) }
        }
        for fiber in fibers { fiber.resume() }
        other.turn(atMost: .milliseconds(1))
        #expect(values == [0, 1])
    }
}
