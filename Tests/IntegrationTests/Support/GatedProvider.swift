import Foundation
import Synchronization

/// A provider whose answers can be held back until something has happened elsewhere.
final class GatedProvider: Sendable {
    private let server: SocketServer
    /// Every answer goes through it; who closes the gate keeps it.
    private let gate: DispatchSemaphore

    init() throws {
        let gate = DispatchSemaphore(value: 1)
        let count = Atomic<Int>(0)
        self.gate = gate
        server = try SocketServer { connection in
            guard connection.read() else { return }
            gate.wait()
            gate.signal()
            let number = count.add(1, ordering: .relaxed).newValue
            connection.answer(#"{"access_token": "token-\#(number)", "expires_in": 7200}"#)
        }
    }

    var url: String { server.url }
    /// How often it was asked, answered or not.
    var calls: Int { server.requests.count }
    /// What lets a function ask it.
    var environment: [String: String] { ["UPSTREAM_ALLOW": "127.0.0.1:\(server.port)"] }

    func close() { gate.wait() }
    func open() { gate.signal() }
    func stop() { server.stop() }
}
