import Fibers
import Foundation
import Locks
import Testing

/// One thread and what waits on it: descriptors, calls on other threads, what others post.
@Suite struct FiberTests {
    /// What happened, in order.
    private final class Record: Sendable {
        private let lines = Lock<[String]>([])

        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    private struct Pipe {
        let readEnd: Int32
        let writeEnd: Int32

        init() throws {
            var ends: [Int32] = [-1, -1]
            try #require(pipe(&ends) == 0)
            readEnd = ends[0]
            writeEnd = ends[1]
        }

        func write() { _ = Foundation.write(writeEnd, "x", 1) }

        func close() {
            Foundation.close(readEnd)
            Foundation.close(writeEnd)
        }
    }

    private func turns(_ loop: EventLoop, until isDone: () -> Bool) throws {
        let end = ContinuousClock.now + .seconds(60)
        loop.enter {
            while !isDone(), .now < end { loop.turn(atMost: .milliseconds(10)) }
        }
        try #require(isDone())
    }

    @Test func `while one waits for a descriptor others go on, and each wakes for its own`() throws {
        let loop = try #require(EventLoop())
        let (first, second) = (try Pipe(), try Pipe())
        defer {
            first.close()
            second.close()
        }
        let record = Record()
        let fibers = [(first, "first"), (second, "second")].map { pipe, name in
            Fiber(on: loop) {
                record.add("\(name) waits")
                let ready = Fiber.waitUntil(.readable, pipe.readEnd, milliseconds: 60_000)
                record.add("\(name) has \(ready)")
            }
        }
        for fiber in fibers { fiber.resume() }
        #expect(record.all == ["first waits", "second waits"])
        second.write()
        try turns(loop) { record.all.count == 3 }
        first.write()
        try turns(loop) { record.all.count == 4 }
        #expect(record.all.suffix(2) == ["second has 1", "first has 1"])
        #expect(Fiber.current == nil)
    }

    @Test func `a wait ends with its time, on a fiber and off it, and the next one is a new one`() throws {
        let loop = try #require(EventLoop())
        let pipe = try Pipe()
        defer { pipe.close() }
        errno = 0
        #expect(Fiber.waitUntil(.readable, pipe.readEnd, milliseconds: 1) == 0)
        #expect(errno == ETIMEDOUT)
        let record = Record()
        let fiber = Fiber(on: loop) {
            errno = 0
            record.add("\(Fiber.waitUntil(.readable, pipe.readEnd, milliseconds: 1)) \(errno == ETIMEDOUT)")
            record.add("\(Fiber.waitUntil(.readable, pipe.readEnd, milliseconds: 60_000))")
        }
        fiber.resume()
        try turns(loop) { record.all.count == 1 }
        pipe.write()
        try turns(loop) { record.all.count == 2 }
        #expect(record.all == ["0 true", "1"])
    }

    @Test func `a call that blocks holds up nobody, and its result comes back to the thread of the loop`() throws {
        let loop = try #require(EventLoop())
        let gate = DispatchSemaphore(value: 0)
        let record = Record()
        let home = pthread_self()
        let calling = Fiber(on: loop) {
            let elsewhere = Fiber.elsewhere {
                gate.wait()
                return pthread_equal(pthread_self(), home) == 0 && Fiber.current == nil
            }
            record.add("elsewhere \(elsewhere), back \(pthread_equal(pthread_self(), home) != 0)")
        }
        let other = Fiber(on: loop) { record.add("other") }
        calling.resume()
        other.resume()
        #expect(record.all == ["other"])
        gate.signal()
        try turns(loop) { record.all.count == 2 }
        #expect(record.all.last == "elsewhere true, back true")
        #expect(Fiber.elsewhere { pthread_equal(pthread_self(), home) != 0 })
    }

    @Test func `a hundred calls at once all come back`() throws {
        let loop = try #require(EventLoop())
        let record = Record()
        let fibers = (0..<100).map { number in
            Fiber(on: loop) {
                for round in 0..<10 {
                    let result = Fiber.elsewhere { number * 10 + round }
                    if result == number * 10 + round { record.add("right") }
                }
            }
        }
        for fiber in fibers { fiber.resume() }
        try turns(loop) { record.all.count == 1_000 }
        #expect(Set(record.all) == ["right"])
    }

    @Test func `what other threads post runs on the thread of the loop, in order`() throws {
        let loop = try #require(EventLoop())
        let record = Record()
        Thread.detachNewThread {
            for number in 0..<1_000 { loop.post { record.add("\(number) \(loop.isCurrent)") } }
        }
        try turns(loop) { record.all.count == 1_000 }
        #expect(record.all == (0..<1_000).map { "\($0) true" })
    }

    @Test func `a thread knows the loop that it runs, and none that it ran`() throws {
        struct Failed: Error {}
        let outer = try #require(EventLoop())
        weak var gone: EventLoop?
        outer.enter {
            var inner = EventLoop()
            gone = inner
            #expect(throws: Failed.self) {
                try inner?.enter {
                    #expect(gone?.isCurrent == true)
                    #expect(!outer.isCurrent)
                    throw Failed()
                }
            }
            inner = nil
            #expect(gone == nil)
            #expect(EventLoop.current === outer)
        }
        #expect(EventLoop.current == nil)
        #expect(!outer.isCurrent)
    }
}
