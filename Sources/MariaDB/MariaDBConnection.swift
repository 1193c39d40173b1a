internal import Fibers
package import SQL

/// A connection to a server that speaks MySQL's protocol, by libmariadb.
///
/// Not `Sendable`: it belongs to one worker, as does every handle it owns.
package final class MariaDBConnection: Connection {
    /// A lost deadlock runs the body again: three times in all.
    private static let transactionAttempts = 3

    private enum Transaction {
        case none
        case open
        /// It is gone, with all that it did; what follows in its body must not run outside it.
        case undone(DatabaseError)
    }

    private let configuration: MariaDBConfiguration
    private var session: Session?
    private var current = Transaction.none

    package init(_ configuration: MariaDBConfiguration) {
        self.configuration = configuration
    }

    package var dialect: Dialect { .mysql }

    @discardableResult
    package func execute(_ query: Query) throws(DatabaseError) -> Int {
        try perform { session throws(CallFailure) in
            if query.arguments.isEmpty { return try session.runText(query.text) }
            return try session.run(query) { statement, count in
                statement.discardRows()
                return count
            }
        }
    }

    package func rows(_ query: Query) throws(DatabaseError) -> [Row] {
        try perform { session throws(CallFailure) in
            try session.run(query) { statement, _ throws(LibraryError) in try statement.rows() }
        }
    }

    @discardableResult
    package func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        var attempt = 1
        while true {
            do {
                return try attemptTransaction(body)
            } catch let error as DatabaseError where error.code == .deadlock && attempt < Self.transactionAttempts {
                attempt += 1
            }
        }
    }

    package func close() {
        if case .open = current { current = .undone(DatabaseError(.lost)) }
        session = nil
    }

    private func attemptTransaction<Result>(_ body: () throws -> Result) throws -> Result {
        guard case .none = current else { preconditionFailure("a transaction inside a transaction") }
        defer { current = .none }
        // Lost on its way or not: a transaction that has done nothing may be begun again.
        try perform(mayRepeat: true) { session throws(CallFailure) in try session.runText("START TRANSACTION") }
        current = .open
        let result: Result
        do {
            result = try body()
        } catch {
            rollBack()
            // After a failover the old writer is read-only: the name may lead to the new one.
            if (error as? DatabaseError)?.code == .readOnly { session = nil }
            // What undid the transaction decides, even if the body made another error of it.
            if case .undone(let cause) = current { throw cause }
            throw error
        }
        // A body that caught the error must not be told that it was committed.
        if case .undone(let cause) = current {
            rollBack()
            throw cause
        }
        do {
            try perform { session throws(CallFailure) in try session.runText("COMMIT") }
        } catch {
            rollBack()
            throw error
        }
        return result
    }

    /// Leaves no transaction behind on this connection, if need be by closing it.
    private func rollBack() {
        guard let session else { return }
        do {
            _ = try session.runText("ROLLBACK")
        } catch {
            self.session = nil
        }
    }

    /// Runs a statement on the open connection or a new one, and once more where it is certain that nothing ran.
    @discardableResult
    private func perform<Result>(
        mayRepeat: Bool = false, _ statement: (Session) throws(CallFailure) -> Result
    ) throws(DatabaseError) -> Result {
        var isInside = false
        switch current {
        case .none: break
        case .open: isInside = true
        case .undone(let cause): throw cause
        }
        if session?.isFoundDead() == true {
            session = nil
            if isInside { throw undo(DatabaseError(.lost)) }
        }
        var isReused = session != nil
        while true {
            do {
                if isInside && session == nil { throw undo(DatabaseError(.lost)) }
                let session = try self.session ?? opened()
                self.session = session
                return try statement(session)
            } catch let failure as CallFailure {
                // After a failover the old writer is read-only: the name may lead to the new one.
                if failure.isConnectionGone || (failure.error.code == .readOnly && !isInside) { session = nil }
                if isInside && (failure.isConnectionGone || failure.error.code == .deadlock) {
                    throw undo(failure.error)
                }
                let isHarmless = failure.isSafeToRepeat || (mayRepeat && failure.error.code == .lost)
                guard failure.isConnectionGone, isHarmless, isReused else { throw failure.error }
                isReused = false
            } catch let error as DatabaseError {
                throw error
            } catch {
                preconditionFailure("an error of a third type")
            }
        }
    }

    /// Looking up a name blocks, and so does a login.
    private func opened() throws(CallFailure) -> Session {
        try Fiber.elsewhere {
            Result { () throws(CallFailure) in try Session(configuration) }
        }.get()
    }

    private func undo(_ cause: DatabaseError) -> DatabaseError {
        current = .undone(cause)
        return cause
    }
}
