import Foundation
import HTTPServer
import Locks
import MariaDB
import SQL
import Synchronization
import Testing

/// All or nothing, the same on every database.
@Suite(.timeLimit(.minutes(5)))
struct TransactionTests {
    private struct Refused: Error {}

    private func account(_ driver: Driver) throws -> TestDatabase {
        let database = try driver.database()
        let connection = try database.connection()
        try connection.execute("CREATE TABLE account (id bigint NOT NULL PRIMARY KEY, amount bigint NOT NULL)")
        try connection.execute("INSERT INTO account (id, amount) VALUES (1, 0), (2, 0)")
        return database
    }

    private func amounts(_ connection: any Connection) throws -> [Int64] {
        try connection.rows("SELECT amount FROM account ORDER BY id").map { try $0.integer(0) }
    }

    @Test(arguments: Driver.allCases)
    func `a body that returns is committed`(driver: Driver) throws {
        let database = try account(driver)
        let connection = try database.connection()
        let count = try connection.transaction {
            try connection.execute("UPDATE account SET amount = \(5)")
        }
        #expect(count == 2)
        #expect(try amounts(try database.connection()) == [5, 5])
    }

    @Test(arguments: Driver.allCases)
    func `a body that throws leaves nothing, and its error comes out`(driver: Driver) throws {
        let database = try account(driver)
        let connection = try database.connection()
        #expect(throws: Refused.self) {
            try connection.transaction {
                try connection.execute("UPDATE account SET amount = \(5)")
                throw Refused()
            }
        }
        #expect(try amounts(try database.connection()) == [0, 0])
        #expect(try connection.transaction { try amounts(connection) } == [0, 0])
    }

    @Test(arguments: Driver.allCases)
    func `a connection closed inside is an error, not a commit of the rest`(driver: Driver) throws {
        let database = try account(driver)
        let connection = try database.connection()
        let error = #expect(throws: DatabaseError.self) {
            try connection.transaction {
                try connection.execute("UPDATE account SET amount = \(5) WHERE id = 1")
                connection.close()
                let inner = failure(of: { try connection.execute("UPDATE account SET amount = \(5) WHERE id = 2") })
                #expect(inner?.code == .lost)
            }
        }
        #expect(error?.code == .lost)
        #expect(try amounts(connection) == [0, 0])
    }

    /// Two threads change two rows in opposite order, and wait for each other in between the first time.
    @Test(arguments: Driver.allCases, [false, true])
    func `a lost deadlock runs the body again, even if the body does not mind`(driver: Driver, swallows: Bool) throws {
        let database = try account(driver)
        let arrived = Atomic<Int>(0)
        let runs = Atomic<Int>(0)
        let failures = Lock<[String]>([])
        concurrently(2) { index in
            do {
                let connection = try database.connection()
                var isFirst = true
                try connection.transaction {
                    runs.add(1, ordering: .relaxed)
                    let (first, second) = index == 0 ? (1, 2) : (2, 1)
                    try connection.execute("UPDATE account SET amount = amount + 1 WHERE id = \(first)")
                    if isFirst {
                        isFirst = false
                        arrived.add(1, ordering: .sequentiallyConsistent)
                        // SQLite lets only one in: it does not wait for the other for ever.
                        wait(within: .milliseconds(driver == .sqlite ? 100 : 60_000)) {
                            arrived.load(ordering: .sequentiallyConsistent) == 2
                        }
                    }
                    do {
                        try connection.execute("UPDATE account SET amount = amount + 1 WHERE id = \(second)")
                    } catch {
                        if !swallows { throw error }
                    }
                }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try amounts(try database.connection()) == [2, 2])
        #expect(runs.load(ordering: .relaxed) == (driver == .mariaDB ? 3 : 2))
    }

    /// Many increments of one row by several connections: none may be lost.
    @Test(arguments: Driver.allCases)
    func `simultaneous transactions lose no change`(driver: Driver) throws {
        let database = try account(driver)
        let failures = Lock<[String]>([])
        concurrently(4) { _ in
            do {
                let connection = try database.connection()
                for _ in 0..<25 {
                    try connection.transaction {
                        let locking = connection.dialect == .mysql ? "FOR UPDATE" : ""
                        let row = try connection.rows(
                            "SELECT amount FROM account WHERE id = \(1) \(unsafeSQL: locking)"
                        ).first
                        let amount = try #require(row).integer(0)
                        try connection.execute("UPDATE account SET amount = \(amount + 1) WHERE id = \(1)")
                    }
                }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try amounts(try database.connection()) == [100, 0])
    }

    @Test(arguments: Driver.allCases)
    func `a lock that stays taken is a lock timeout, and the connection lives on`(driver: Driver) throws {
        let database = try account(driver)
        let holder = try database.connection()
        let waiter = try database.impatientConnection()
        try holder.transaction {
            try holder.execute("UPDATE account SET amount = \(1) WHERE id = \(1)")
            let error = failure(of: { try waiter.execute("UPDATE account SET amount = \(2) WHERE id = \(1)") })
            #expect(error?.code == .lockTimeout)
            #expect(try amounts(waiter) == [0, 0])
        }
        #expect(try amounts(waiter) == [1, 0])
    }

    @Test func `the server gives up on a lock before the answer is given up on`() throws {
        let server = try MariaDBServer.shared()
        for (patience, expected) in [(7, 5), (1, 1)] {
            let connection = try server.connection { $0.readTimeout = .seconds(patience) }
            let row = try connection.rows("SELECT @@innodb_lock_wait_timeout, @@lock_wait_timeout").first
            #expect(row?.values == [.integer(Int64(expected)), .integer(Int64(expected))])
        }
    }
}
