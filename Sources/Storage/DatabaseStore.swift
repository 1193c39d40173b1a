package import Clocks
package import SQL
internal import Tokens

/// The stores of the domain on one connection to a database; one value belongs to one worker.
///
/// No statement waits for another's lock longer than that one statement runs: a write is guarded by what was read, and
/// tried again from the reading when somebody else was faster.
package final class DatabaseStore {
    let connection: any SQL.Connection
    let sealer: Sealer
    let reads: SharedReads?
    private var policies = StoredPolicies()
    var scopes = StoredScopes()
    /// The text of a hit's statement, with a caller's key and without.
    var keyedLookupText: String?
    var lookupText: String?

    private let clock: (any Clock)?
    private var isInTransaction = false
    /// Somebody else changed what this transaction had read.
    var wasOvertaken = false
    /// The entries of the audit that were stored since they were last taken.
    var receipts: [AuditReceipt] = []

    /// - Parameters:
    ///   - reads: of all stores of the process that are of this database; nil where each reads for itself.
    ///   - clock: stands in for the database's own in every statement; for simulations alone, where time is virtual.
    package init(
        _ connection: any SQL.Connection, sealer: Sealer, reads: SharedReads? = nil, clock: (any Clock)? = nil
    ) {
        self.connection = connection
        self.sealer = sealer
        self.reads = reads
        self.clock = clock
    }

    func policy(_ text: String?) throws(StoreError) -> Policy {
        try policies.policy(text)
    }

    /// The database's clock as a fragment of a statement.
    var now: Query {
        if let clock { return "\(clock.now().wall.milliseconds)" }
        return Query(unsafeSQL: connection.dialect.now)
    }

    func rows(_ query: Query) throws(StoreError) -> [Row] {
        do {
            return try connection.rows(query)
        } catch {
            throw StoreError(error)
        }
    }

    @discardableResult
    func execute(_ query: Query) throws(StoreError) -> Int {
        do {
            return try connection.execute(query)
        } catch {
            throw StoreError(error)
        }
    }

    /// Runs `body` in a transaction, that of the entry which is being recorded where there is one; throws the database's errors.
    func rawTransaction<Result>(_ body: () throws -> Result) throws -> Result {
        if isInTransaction { return try body() }
        isInTransaction = true
        defer { isInTransaction = false }
        return try connection.transaction(body)
    }

    /// The same, and throws what callers of a store understand.
    func transaction<Result>(_ body: () throws -> Result) throws(StoreError) -> Result {
        guard let result = try guardedTransaction(body) else { throw .broken("a transaction was overtaken") }
        return result
    }

    /// Somebody else changed what a transaction had read: it is undone.
    struct Overtaken: Error {}

    /// A transaction that answers nil where it was overtaken.
    func guardedTransaction<Result>(_ body: () throws -> Result) throws(StoreError) -> Result? {
        do {
            return try rawTransaction(body)
        } catch is Overtaken {
            return nil
        } catch let error as DatabaseError {
            throw StoreError(error)
        } catch let error as StoreError {
            throw error
        } catch {
            throw .broken("an unexpected error in a transaction")
        }
    }

    /// Runs `attempt` until it answers: it answers nil when somebody else changed what it had read.
    func retrying<Result>(_ attempt: () throws(StoreError) -> Result?) throws(StoreError) -> Result {
        if isInTransaction {
            // What was read in a transaction stays as it was read: another one begins with a new reading.
            guard let result = try attempt() else {
                wasOvertaken = true
                throw .unavailable
            }
            return result
        }
        for _ in 0..<32 {
            if let result = try attempt() { return result }
        }
        throw .unavailable
    }
}

extension StoreError {
    init(_ error: DatabaseError) {
        switch error.code {
        // A statement that lost a lock, or met a server that is no longer the writer, has done nothing.
        case .unavailable, .deadlock, .lockTimeout, .readOnly: self = .unavailable
        case .lost, .timeout: self = .uncertain
        default: self = .broken(error.description)
        }
    }
}
