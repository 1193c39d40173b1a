import Testing

@testable import FunctionRuntime

@Suite struct WorkQueueTests {
    private struct Work: QueuedWork, Equatable {
        var number: Int
        var lane: Int
        var isResumed = false
    }

    private typealias Queue = WorkQueue<Work>

    /// One idle worker for each of two lanes, both taken.
    private func busyQueue(limit: Int = 1_000) -> Queue {
        let queue = Queue(limit: limit, workers: [1, 1])
        #expect(queue.place(Work(number: -2, lane: 0)) == .lane(0))
        #expect(queue.place(Work(number: -1, lane: 0)) == .lane(1))
        return queue
    }

    @Test func `a worker of its own lane is asked first, then any, then it waits`() {
        let queue = Queue(limit: 1, workers: [1, 2])
        #expect(queue.place(Work(number: 0, lane: 1)) == .lane(1))
        #expect(queue.place(Work(number: 1, lane: 0)) == .lane(0))
        #expect(queue.place(Work(number: 2, lane: 0)) == .lane(1))
        #expect(queue.place(Work(number: 3, lane: 0)) == .queue)
        #expect(queue.next(for: 1)?.number == 3)
        #expect(queue.next(for: 1) == nil)
        #expect(queue.place(Work(number: 4, lane: 0)) == .lane(1))
    }

    @Test func `the new are turned away at the limit, those that have waited never`() {
        let queue = busyQueue(limit: 2)
        #expect((0..<3).map { queue.place(Work(number: $0, lane: 0)) } == [.queue, .queue, .none])
        #expect(queue.place(Work(number: 3, lane: 0, isResumed: true)) == .queue)
        #expect(queue.next(for: 0)?.number == 0)
        #expect(queue.place(Work(number: 4, lane: 0)) == .queue)
        #expect(queue.place(Work(number: 5, lane: 0)) == .none)
    }

    @Test func `a lane prefers its own, and nobody is passed over for long`() {
        let queue = busyQueue()
        // The first is lane 0's, whose workers never come; lane 1 always has work of its own.
        #expect(queue.place(Work(number: 0, lane: 0)) == .queue)
        var taken: [Int] = []
        for number in 1...100 {
            #expect(queue.place(Work(number: number, lane: 1)) == .queue)
            #expect(queue.place(Work(number: 1_000 + number, lane: 1)) == .queue)
            if let work = queue.next(for: 1) { taken.append(work.number) }
            if taken.last == 0 { break }
        }
        #expect(taken.first == 1)
        #expect(taken.last == 0)
        #expect(taken.count == 65)
    }

    @Test func `what is taken out leaves its place to others`() {
        let queue = busyQueue(limit: 3)
        for number in 0..<3 { #expect(queue.place(Work(number: number, lane: number % 2)) == .queue) }
        #expect(queue.place(Work(number: 3, lane: 0, isResumed: true)) == .queue)
        #expect(queue.place(Work(number: 4, lane: 0)) == .none)
        #expect(queue.removeAll { $0.number != 0 }.count == 3)
        #expect((5...7).map { queue.place(Work(number: $0, lane: 1)) } == [.queue, .queue, .none])
    }

    @Test func `everything that was placed is taken once, and what is over time is taken out`() {
        let queue = busyQueue()
        for number in 0..<700 { #expect(queue.place(Work(number: number, lane: number % 2)) == .queue) }
        let over = queue.removeAll { $0.number % 7 == 0 }
        #expect(over.map(\.number).sorted() == stride(from: 0, to: 700, by: 7).map { $0 })
        var taken: [Int] = []
        while let work = queue.next(for: taken.count % 2) { taken.append(work.number) }
        #expect(taken.sorted() == (0..<700).filter { $0 % 7 != 0 })
        #expect(queue.isEmpty)
    }
}
