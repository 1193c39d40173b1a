import Foundation
import Glibc
import JSON
import Locks
import Testing

/// Functions that serve HTTP, each at one address for good, whatever happens to the process behind it.
final class FunctionFleet: Sendable {
    final class Member: Sendable {
        let program: String
        var port: UInt16 { reserved.number }
        private let reserved: ReservedPort
        private let folder: String
        private let environment: [String: String]
        /// Nil while it is between two processes.
        private let running: Lock<ServingFunction?>
        private let isTaken = Lock(false)

        var url: String { "http://127.0.0.1:\(port)" }

        init(_ program: String, _ environment: [String: String], folder: String) throws {
            reserved = try ReservedPort()
            self.program = program
            self.folder = folder
            self.environment = environment.merging(["FC_CUSTOM_LISTEN_PORT": "\(reserved.number)"]) { _, new in new }
            running = Lock(try ServingFunction.start(program, self.environment, folder: folder))
        }

        /// Does something to it, unless somebody else is at it.
        func alone(_ body: (Member) throws -> Void) rethrows {
            let isMine = isTaken.withLock { taken in
                defer { taken = true }
                return !taken
            }
            guard isMine else { return }
            defer { isTaken.withLock { $0 = false } }
            try body(self)
        }

        func kill9() {
            running.withLock { running in
                guard let process = running?.process else { return }
                kill(process.pid, SIGKILL)
                _ = process.wait()
                running = nil
            }
        }

        func start() throws {
            let next = try ServingFunction.start(program, environment, folder: folder)
            running.withLock { $0 = next }
        }

        func freeze(_ signal: Int32) {
            running.withLock { _ = $0.map { kill($0.process.pid, signal) } }
        }

        /// Ends it by SIGTERM.
        func stop() {
            running.withLock { running in
                guard let process = running?.process else { return }
                let end = process.stop()
                #expect(end.status == 0)
                running = nil
            }
        }
    }

    let members: [Member]

    private init(_ members: [Member]) {
        self.members = members
    }

    /// Starts `servers` of `token-server`, and `caches` of `token-server-cache`, each in front of another of them.
    static func run(
        servers: Int, caches: Int, _ environment: [String: String], _ body: (FunctionFleet) throws -> Void
    ) throws {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var members: [Member] = []
        defer { members.forEach { $0.stop() } }
        for _ in 0..<servers { members.append(try Member("token-server", environment, folder: folder)) }
        for number in 0..<caches {
            let behind = members[number % servers].url
            members.append(try Member("token-server-cache", ["TOKEN_SERVER_URL": behind], folder: folder))
        }
        try body(FunctionFleet(members))
    }
}
