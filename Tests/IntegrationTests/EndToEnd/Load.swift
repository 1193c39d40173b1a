import Foundation
import HTTPServer
import Locks
import Synchronization

/// Threads that ask for one URL again and again, and keep what they were answered.
final class Load: Sendable {
    private let url: String
    private let isOver = Atomic<Bool>(false)
    private let running = Atomic<Int>(0)
    private let answers = Lock<[(at: ContinuousClock.Instant, answer: Answer)]>([])

    init(url: String) {
        self.url = url
    }

    func start(threads: Int) {
        for _ in 0..<threads {
            running.add(1, ordering: .relaxed)
            Thread.detachNewThread { [self] in
                while !isOver.load(ordering: .relaxed) {
                    if let answer = try? OneShotHTTP.send("GET", url) {
                        answers.withLock { $0.append((.now, answer)) }
                    }
                }
                running.subtract(1, ordering: .releasing)
            }
        }
    }

    /// Whether an answer with this status comes after an instant.
    func waitForStatus(_ status: Int, after instant: ContinuousClock.Instant) -> Bool {
        wait { answers.withLock { $0.contains { $0.at > instant && $0.answer.status == status } } }
    }

    /// Ends the threads and answers everything that they were answered.
    func stop() -> [Answer] {
        isOver.store(true, ordering: .relaxed)
        while running.load(ordering: .acquiring) > 0 { Thread.sleep(forTimeInterval: 0.005) }
        return answers.withLock { $0.map(\.answer) }
    }
}
