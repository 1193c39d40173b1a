package import Clocks
internal import Log
internal import Synchronization
package import Tokens

/// Every store of the domain in memory: one value is the database of all the instances of a simulation.
///
/// It passes the same conformance rules as the real databases.
package final class InMemoryStore: Sendable {
    struct StoredRealm {
        var realm: Realm
        var version: Int64
        var validFrom: Int64 = 0
        var policy = Policy.undeclared
        var noticeKey: Redacted<String>?
    }

    struct StoredSecret {
        var credentials: [String: Redacted<String>]
        var version: Int64
        var validFrom: Int64 = 0
        var refreshVersion: Int64 = 0
        var createdAt: Timestamp
        var updatedAt: Timestamp
        var row: TokenRow
        var refreshToken: RotatedRefreshToken?
        var confirmedFor: Destination?
    }

    struct Place {
        var holder: String
        var until: Timestamp
    }

    struct State {
        var realms: [String: StoredRealm] = [:]
        var secrets: [SecretID: StoredSecret] = [:]
        var keys: [String: APIKey] = [:]
        var places: [String: [Int: Place]] = [:]
        var notices: [PendingNotice] = []
        var lastNotice: Int64 = 0
        var audit: [AuditRecord] = []

        mutating func add(_ notice: Notice, of id: SecretID, at now: Timestamp) {
            lastNotice += 1
            notices.append(
                PendingNotice(
                    number: lastNotice, id: id, notice: notice, createdAt: now, attempts: 0, nextAt: now, target: nil))
        }
    }

    private let state = Mutex(State())
    private let clock: any Clock

    /// - Parameter clock: its wall clock is this database's.
    package init(clock: any Clock) {
        self.clock = clock
    }

    /// Runs `body` alone, as a database runs one statement.
    func statement<Result: Sendable>(_ body: (inout State, _ now: Timestamp) -> Result) -> Result {
        let now = clock.now().wall
        return state.withLock { body(&$0, now) }
    }
}

extension InMemoryStore: StoreProbe {
    package func probe() throws(StoreError) -> (now: Timestamp, isMigrated: Bool) {
        (now: clock.now().wall, isMigrated: true)
    }

    /// Nothing is sealed here.
    package func probeKeys() throws(StoreError) -> KeyHealth {
        KeyHealth()
    }
}
