internal import Clocks
internal import Log
package import Tokens

/// Everything that the domain asks of a database.
package typealias ConformingStore = TokenStore & RealmStore & SecretStore & KeyStore & StoreProbe & UpkeepStore
    & NoticeStore

/// One sentence that every store must make true: the same list is run against memory, SQLite and MariaDB.
///
/// A rule starts on an empty store with its own clock, which no rule waits for: leases that shall have run out are taken
/// for no time at all.
package struct StoreConformance: Sendable, CustomStringConvertible {
    package let description: String
    private let body: @Sendable (any ConformingStore) throws -> Void

    init(_ description: String, _ body: @escaping @Sendable (any ConformingStore) throws -> Void) {
        self.description = description
        self.body = body
    }

    /// Throws a `Failure` or the store's own error where the rule does not hold.
    package func check(_ store: any ConformingStore) throws {
        try body(store)
    }

    package static let rules =
        reading + leases + commits + releases + marks + lifetime + realms + secrets
        + destinations + originsAlone + keys

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }
}

/// Throws where what a rule expects is not so.
func expect(_ condition: Bool, _ what: @autoclosure () -> String, line: Int = #line) throws(StoreConformance.Failure) {
    if !condition { throw StoreConformance.Failure(description: "line \(line): \(what())") }
}

func expectEqual<Value: Equatable>(_ found: Value, _ expected: Value, line: Int = #line) throws(StoreConformance
    .Failure)
{
    try expect(found == expected, "found \(found), expected \(expected)", line: line)
}

func require<Value>(_ value: Value?, line: Int = #line) throws(StoreConformance.Failure) -> Value {
    guard let value else { throw StoreConformance.Failure(description: "line \(line): found nothing") }
    return value
}

/// What the rules have in common: one realm and one secret, and the protocol's steps with what most rules leave alone.
struct StoreFixture {
    let store: any ConformingStore
    let id: SecretID

    init(_ store: any ConformingStore, key: String = "app", confirmedFor destination: Destination? = nil) throws {
        self.store = store
        id = SecretID(realm: "wx", key: key)
        _ = try store.write("wx", RealmChange(config: .set("{\"url\": \"https://a.example\"}")))
        let credentials: [String: Change<Redacted<String>>] = ["key_1": .set(Redacted("one"))]
        _ = try require(try store.write(id, credentials, discardsToken: false, destination: destination))
    }

    func snapshot(line: Int = #line) throws -> Snapshot {
        guard case .found(let snapshot) = try store.read(id, clock: SystemClock()) else {
            throw StoreConformance.Failure(description: "line \(line): the secret is not found")
        }
        return snapshot
    }

    func row(line: Int = #line) throws -> TokenRow {
        try snapshot(line: line).row
    }

    /// A request that fits the row as it is.
    func request(lease: Duration = .seconds(60), holder: String = "me") throws -> LeaseRequest {
        let row = try row()
        return LeaseRequest(
            fence: row.fence, generation: row.generation, marks: row.marks, doubts: row.doubts, diesAt: row.diesAt,
            fails: row.fails, holder: holder, reason: .dead, lease: lease, day: 0, isUse: false)
    }

    func take(lease: Duration = .seconds(60), line: Int = #line) throws {
        try expect(try store.take(id, try request(lease: lease)), "the lease was not given", line: line)
    }

    /// A commit that fits the row as it is.
    func record(
        _ token: String, life: Duration? = .seconds(7200), gap: Duration = .zero, overlap: Duration? = nil,
        sameTokenNextMintAt: Timestamp? = nil
    ) throws -> MintRecord {
        let snapshot = try snapshot()
        return MintRecord(
            fence: snapshot.row.fence, generation: snapshot.row.generation, token: Redacted(token),
            expiresAt: life.map { snapshot.now + $0 }, look: snapshot.now, version: snapshot.version,
            marksAtLook: snapshot.row.marks, gap: gap, overlap: overlap, sameTokenNextMintAt: sameTokenNextMintAt)
    }

    /// Takes the lease and stores `token`.
    func mint(
        _ token: String, life: Duration? = .seconds(7200), gap: Duration = .zero, line: Int = #line
    ) throws {
        try take(line: line)
        try expect(
            try store.commit(id, try record(token, life: life, gap: gap)), "the token was not stored", line: line)
    }
}
