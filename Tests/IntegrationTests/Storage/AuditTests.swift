import Clocks
import Crypto
import Foundation
import Log
import SQL
import Storage
import TestKit
import Testing
import Tokens

/// Who did what is stored with what was done, and nobody without a master key changes it unseen.
@Suite struct AuditTests {
    private static let id = SecretID(realm: "wx", key: "app")
    private static let author = Author(caller: "k1", requestID: "r-1")

    /// A realm and a secret that were written down, two mints, a flush and a row about a key.
    private struct World {
        let database: TestDatabase
        let connection: any Connection
        let store: DatabaseStore

        init(_ driver: Driver) throws {
            database = try driver.migratedDatabase()
            connection = try database.connection()
            store = DatabaseStore(connection)
            try write("wx", "first")
            let secret = AuditEntry(author, .writeSecret, realm: "wx", key: "app", outcome: "stored")
            _ = try store.recording(secret, where: { _ in true }) { () throws(StoreError) in
                try store.write(id, ["key_1": .set(Redacted("canary"))])
            }
            for number in 1...2 { try mint("token \(number)") }
            try store.record(AuditEntry(author, .flush, realm: "wx", key: "app", outcome: "suppressed", generation: 2))
            try store.record(AuditEntry(author, .createKey, outcome: "stored", detail: "k2 reader"))
        }

        func write(_ realm: String, _ comment: String) throws {
            let entry = AuditEntry(author, .writeRealm, realm: realm, outcome: "stored", detail: "comment")
            _ = try store.recording(entry, where: { _ in true }) { () throws(StoreError) in
                // Nothing kills here: a flush is never held back.
                let policy = #"{"class":"E"}"#
                return try store.write(
                    realm, RealmChange(config: .set("{}"), comment: .set(comment), policy: .set(policy)))
            }
        }

        func mint(_ token: String) throws {
            let upstream = ScriptedUpstream { _ in .minted(Redacted(token), life: .seconds(7_200), refreshToken: nil) }
            let broker = Broker(store: store, audit: store, upstream: upstream, clock: SystemClock())
            let decision = broker.decide(id, wish: .flush, requestID: "r-2", deadline: nil)
            guard case .answer(let answer) = decision, answer.source == .upstream else {
                Issue.record("no token was minted: \(decision)")
                return
            }
        }

        func report(keys: String = MasterKeys.text("test")) throws -> AuditVerifier.Report {
            let signer = SigningKeys(try MasterKeys(parsing: keys), purpose: AuditVerifier.purpose)
            return try AuditVerifier(try database.connection(), keys: signer).verify()
        }

        func number(_ action: String, last: Bool = false) throws -> Int64 {
            let order = last ? "DESC" : "ASC"
            return try #require(
                try connection.rows(
                    "SELECT id FROM audit WHERE action = \(action) ORDER BY id \(unsafeSQL: order) LIMIT 1"
                ).first
            ).integer(0)
        }
    }

    // MARK: What is written down

    @Test(arguments: Driver.allCases)
    func `entries tell who, what, for which request, and what became of it`(_ driver: Driver) throws {
        let world = try World(driver)
        let found = try world.store.audit(Page(number: 1, size: 100), realm: nil, key: nil, in: .everything)
        #expect(found.total == 6)
        #expect(
            found.elements.map(\.entry.action)
                == [.createKey, .flush, .mint, .mint, .writeSecret, .writeRealm])
        let mint = found.elements[2].entry
        #expect(mint.author == Author(caller: "schedule", requestID: "r-2"))
        #expect(mint.outcome == "minted")
        #expect(mint.detail == "flush")
        #expect(mint.generation == 2)
        #expect(try world.report() == AuditVerifier.Report(chains: 2, entries: 6, findings: []))
    }

    @Test(arguments: Driver.allCases)
    func `a list is of a scope, a realm or a secret`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.write("other", "x")
        func actions(_ scope: Scope, realm: String? = nil, key: String? = nil) throws -> [AuditEntry.Action] {
            try world.store.audit(Page(number: 1, size: 100), realm: realm, key: key, in: scope).elements
                .map(\.entry.action)
        }
        #expect(try actions(.everything).count == 7)
        #expect(try actions(.everything, realm: "wx").count == 5)
        #expect(try actions(.everything, realm: "wx", key: "app") == [.flush, .mint, .mint, .writeSecret])
        #expect(try actions(Scope(realms: ["other"], secrets: [])) == [.writeRealm])
        // The realm's own entries belong to whoever may see a secret of it.
        #expect(
            try actions(Scope(realms: [], secrets: [AuditTests.id]))
                == [.flush, .mint, .mint, .writeSecret, .writeRealm])
        #expect(
            try actions(Scope(realms: [], secrets: [SecretID(realm: "wx", key: "ap")])) == [.writeRealm])
    }

    @Test(arguments: Driver.allCases)
    func `a write that cannot be written down is not done`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.connection.execute("DROP TABLE audit")
        #expect(throws: StoreError.self) { try world.write("wx", "second") }
        #expect(try world.store.realm("wx")?.comment == "first")
        #expect(throws: StoreError.self) { try world.write("new", "") }
        #expect(try world.store.realm("new") == nil)
    }

    @Test(arguments: Driver.allCases)
    func `a write that is not done leaves no entry`(_ driver: Driver) throws {
        let world = try World(driver)
        let entry = AuditEntry(AuditTests.author, .deleteRealm, realm: "wx", outcome: "deleted")
        let deletion = try world.store.recording(entry, where: { $0 == .deleted }) { () throws(StoreError) in
            try world.store.deleteRealm("wx")
        }
        #expect(deletion == .hasSecrets)
        #expect(try world.report().entries == 6)
    }

    @Test(arguments: Driver.allCases)
    func `a failed call leaves its class, a lost one that nobody knows its end`(_ driver: Driver) throws {
        let world = try World(driver)
        let failure = UpstreamFailure(.refused, .configuration, detail: "canary")
        for (outcome, expected) in [
            (MintOutcome.refused(failure), "failed: configuration"), (.ambiguous(failure), "unknown: configuration"),
        ] {
            let broker = Broker(
                store: world.store, audit: world.store, upstream: ScriptedUpstream { _ in outcome },
                clock: SystemClock())
            _ = try world.store.write(AuditTests.id, ["key_1": .set(Redacted(expected))])
            _ = broker.decide(AuditTests.id, wish: .flush, requestID: "r-3", deadline: nil)
            let last = try world.store.audit(Page(number: 1, size: 1), realm: nil, key: nil, in: .everything)
            #expect(last.elements.first?.entry.outcome == expected)
            #expect(last.elements.first?.entry.generation == 2)
        }
    }

    @Test(arguments: Driver.allCases)
    func `many who write at once are all written down, each chain without a gap`(_ driver: Driver) throws {
        let world = try World(driver)
        let database = world.database
        concurrently(8) { thread in
            guard let connection = try? database.connection() else { return }
            let store = DatabaseStore(connection)
            for number in 0..<10 {
                for key in ["app", "own-\(thread)"] {
                    let entry = AuditEntry(
                        AuditTests.author, .flush, realm: "wx", key: key, outcome: "suppressed")
                    #expect(throws: Never.self) { try store.record(entry) }
                }
                let entry = AuditEntry(AuditTests.author, .writeRealm, realm: "wx", outcome: "stored")
                // All write the same row: whoever is overtaken begins again.
                #expect(throws: Never.self) {
                    try store.recording(entry, where: { _ in true }) { () throws(StoreError) in
                        try store.write("wx", RealmChange(comment: .set("\(thread) \(number)")))
                    }
                }
            }
        }
        let report = try world.report()
        #expect(report.findings == [])
        #expect(report.entries == 6 + 8 * 30)
        #expect(report.chains == 2 + 8)
    }

    // MARK: What is found out

    @Test(
        arguments: Driver.allCases,
        [
            "chain", "place", "at", "actor", "request_id", "action", "realm", "key", "outcome", "detail", "generation",
            "hash", "signed_with", "signature",
        ])
    func `an edited column is found`(_ driver: Driver, _ column: String) throws {
        let world = try World(driver)
        let number = try world.number("token.mint")
        let value: Query =
            switch column {
            case "place", "at", "generation": "\(unsafeSQL: column) + 100"
            case "action": "\("token.flush")"
            default: "\("other")"
            }
        try world.connection.execute("UPDATE audit SET `\(unsafeSQL: column)` = \(value) WHERE id = \(number)")
        let finding = try #require(try world.report().findings.first)
        switch column {
        case "chain", "place": #expect(finding.kind == .removed)
        case "signed_with": #expect(finding.kind == .unknownKey("other"))
        case "signature": #expect(finding.kind == .unsigned)
        default:
            #expect(finding.kind == .edited)
            #expect(finding.number == number)
        }
    }

    @Test(arguments: Driver.allCases)
    func `an entry whose hash was worked out anew lacks the signature`(_ driver: Driver) throws {
        let world = try World(driver)
        // Another store with another key writes the same chain on.
        let forger = DatabaseStore(try world.database.connection(), keys: MasterKeys.text("forged"))
        try forger.record(AuditEntry(AuditTests.author, .createKey, outcome: "stored"))
        #expect(try world.report().findings.map(\.kind) == [.unknownKey("forged")])
        try world.connection.execute("UPDATE audit SET signed_with = \("test") WHERE signed_with = \("forged")")
        #expect(try world.report().findings.map(\.kind) == [.unsigned])
    }

    @Test(arguments: Driver.allCases, ["secret.write", "token.mint", "token.flush", "key.create", "realm.write"])
    func `a removed entry is found, the last of its chain too`(_ driver: Driver, _ action: String) throws {
        let world = try World(driver)
        try world.connection.execute("DELETE FROM audit WHERE id = \(try world.number(action))")
        #expect(try world.report().findings.map(\.kind) == [.removed])
    }

    @Test(arguments: Driver.allCases)
    func `a chain whose head was put back is found by the token, one whose head was removed at once`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        let first = try world.number("token.mint")
        let chain = "(SELECT chain FROM audit WHERE id = \(first))"
        let hash = try #require(try world.connection.rows("SELECT hash FROM audit WHERE id = \(first)").first).text(0)
        try world.connection.execute(
            Query(unsafeSQL: "UPDATE audit_chain SET place = 1, hash = '\(hash)' WHERE chain = \(chain)"))
        try world.connection.execute("DELETE FROM audit WHERE place > 1 AND realm = 'wx' AND id > \(first)")
        #expect(try world.report().findings.map(\.kind) == [.removed])
        try world.connection.execute(Query(unsafeSQL: "DELETE FROM audit_chain WHERE chain = \(chain)"))
        #expect(try world.report().findings.map(\.kind) == [.removed])
    }

    @Test(arguments: Driver.allCases, [-3, 0, 999_999])
    func `an entry that stands outside its chain is found`(_ driver: Driver, _ place: Int) throws {
        let world = try World(driver)
        try world.connection.execute(
            """
            INSERT INTO audit (chain, place, at, actor, request_id, action, outcome, detail, hash, signed_with, signature)
            VALUES ('administration', \(place), 1, 'innocent', 'r', 'realm.write', 'stored', '', '00', 'one', '00')
            """)
        #expect(try world.report().findings.map(\.kind) == [.outside])
    }

    @Test(arguments: Driver.allCases)
    func `entries that a head was put back before are found where they stand`(_ driver: Driver) throws {
        let world = try World(driver)
        let first = try world.number("realm.write")
        let hash = try #require(try world.connection.rows("SELECT hash FROM audit WHERE id = \(first)").first).text(0)
        try world.connection.execute(
            "UPDATE audit_chain SET place = 1, hash = \(hash) WHERE chain = 'administration'")
        try world.connection.execute("UPDATE audit SET actor = 'nobody' WHERE place > 1 AND action = 'key.create'")
        #expect(try world.report().findings.map(\.kind) == [.outside])
    }

    // MARK: Retention

    @Test(arguments: Driver.allCases)
    func `old entries go from the beginning of chains, under a signature`(_ driver: Driver) throws {
        let world = try World(driver)
        #expect(try world.store.pruneAudit(olderThan: .seconds(60), limit: 100) == AuditPruned())
        usleep(5_000)
        #expect(try world.store.pruneAudit(olderThan: .zero, limit: 2).removed == 2)
        try world.mint("token 3")
        let report = try world.report()
        #expect(report.findings == [])
        #expect(report.entries < 7)
        usleep(5_000)
        while try world.store.pruneAudit(olderThan: .zero, limit: 100).removed > 0 {}
        #expect(try world.report() == AuditVerifier.Report(chains: 2, entries: 0, findings: []))
        try world.mint("token 4")
        try world.write("wx", "after")
        #expect(try world.report() == AuditVerifier.Report(chains: 2, entries: 2, findings: []))
        // Whoever claims an older beginning has no signature for it.
        let number = try world.number("realm.write")
        try world.connection.execute(
            "UPDATE audit_chain SET pruned_place = place, pruned_hash = hash WHERE chain = 'administration'")
        try world.connection.execute("DELETE FROM audit WHERE id = \(number)")
        #expect(try world.report().findings.map(\.kind) == [.removed])
    }

    /// What a prune of all that there is leaves of a chain, how many entries it removed, and what the verifier says then.
    private func prune(
        _ world: World, keys: String = MasterKeys.text("test")
    ) throws -> (pruned: AuditPruned, kinds: [AuditVerifier.Finding.Kind]) {
        usleep(5_000)
        let store = DatabaseStore(world.connection, keys: keys)
        return (try store.pruneAudit(olderThan: .zero, limit: 100), try world.report(keys: keys).findings.map(\.kind))
    }

    @Test(arguments: Driver.allCases)
    func `a prune stops at an entry that was edited, and the verifier still names it`(_ driver: Driver) throws {
        let world = try World(driver)
        let number = try world.number("token.mint", last: true)
        try world.connection.execute("UPDATE audit SET at = 1, actor = 'x' WHERE id = \(number)")
        // Nothing but what was edited is old by its word.
        let horizon = try world.store.pruneAudit(olderThan: .seconds(60), limit: 100)
        #expect(horizon.removed == 0)
        let (pruned, kinds) = try prune(world)
        #expect(pruned.obstacles.count == 1)
        #expect(pruned.obstacles.first?.hasPrefix("entry \(number) (chain ") == true)
        #expect(pruned.obstacles.first?.hasSuffix(", place 2) was edited") == true)
        // The chain of writes, and the mint before it.
        #expect(pruned.removed == 4)
        #expect(kinds == [.edited])
        #expect(try world.connection.rows("SELECT id FROM audit WHERE id = \(number)").count == 1)
    }

    @Test(
        arguments: Driver.allCases,
        ["at = 1", "hash = '00'", "signature = '00'", "place = place + 1000", "signed_with = 'gone'"])
    func `nothing is pruned of chains whose every row was edited`(_ driver: Driver, _ change: String) throws {
        let world = try World(driver)
        try world.connection.execute("UPDATE audit SET \(unsafeSQL: change)")
        let before = try world.report()
        #expect(before.findings.count >= 2)
        usleep(5_000)
        let pruned = try world.store.pruneAudit(olderThan: .zero, limit: 100)
        #expect(pruned.removed == 0)
        #expect(pruned.obstacles.count == 2)
        #expect(try world.report() == before)
    }

    @Test(arguments: Driver.allCases)
    func `a prune stops at a gap, and at a note that nobody has signed`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.connection.execute("DELETE FROM audit WHERE id = \(try world.number("token.mint", last: true))")
        let (pruned, kinds) = try prune(world)
        #expect(pruned.removed == 4)
        #expect(pruned.obstacles.count == 1)
        #expect(pruned.obstacles.first?.hasPrefix("an entry was removed after entry ") == true)
        #expect(kinds == [.removed])
        for note in ["pruned_signature = '00'", "pruned_signed_with = 'gone'", "pruned_signed_with = NULL"] {
            try world.connection.execute("UPDATE audit_chain SET \(unsafeSQL: note)")
            let again = try prune(world)
            #expect(again.pruned.removed == 0)
            #expect(again.pruned.obstacles.count == 1)
            #expect(!again.kinds.isEmpty)
        }
    }

    @Test(arguments: Driver.allCases)
    func `entries under a key that is not given go once a later one vouches for them`(_ driver: Driver) throws {
        let world = try World(driver)
        let both = MasterKeys.text("new", "test")
        let new = MasterKeys.text("new")
        let (alone, _) = try prune(world, keys: new)
        #expect(alone.removed == 0)
        #expect(alone.obstacles.count == 2)
        #expect(alone.obstacles.allSatisfy { $0.hasSuffix("is signed with the master key test, which is not given") })
        // A later entry of the chain of writes, and none of the secret's.
        let rotated = DatabaseStore(world.connection, keys: both)
        try rotated.record(AuditEntry(AuditTests.author, .createKey, outcome: "stored"))
        let edited = try world.number("secret.write")
        let actor = "(SELECT actor FROM (SELECT actor FROM audit WHERE id <> \(edited) LIMIT 1) AS other)"
        try world.connection.execute("UPDATE audit SET actor = 'x' WHERE id = \(edited)")
        #expect(try prune(world, keys: new).pruned.removed == 0)
        try world.connection.execute("UPDATE audit SET actor = \(unsafeSQL: actor) WHERE id = \(edited)")
        let (pruned, kinds) = try prune(world, keys: new)
        #expect(pruned.removed == 4)
        #expect(pruned.obstacles.count == 1)
        #expect(kinds == [.unknownKey("test")])
        #expect(try prune(world, keys: both).pruned == AuditPruned(removed: 3))
        #expect(try world.report(keys: new).findings == [])
    }

    // MARK: The command

    @Test(arguments: Driver.allCases)
    func `the command names the first entry that was edited or removed`(_ driver: Driver) throws {
        let world = try World(driver)
        let environment = ["DATABASE_URL": world.database.url, "MASTER_KEYS": MasterKeys.text("test")]
        let program = LocalPlatform.products.appending(path: "token-server-admin").path()
        let clean = try Program.run(program, ["audit", "verify"], environment: environment)
        #expect(clean.status == 0)
        #expect(clean.output == "audit: 6 entries in 2 chains, none edited or removed\n")
        let number = try world.number("token.mint", last: true)
        try world.connection.execute("UPDATE audit SET actor = 'nobody' WHERE id = \(number)")
        let edited = try Program.run(program, ["audit", "verify"], environment: environment)
        #expect(edited.status == 1)
        #expect(edited.output.hasPrefix("audit: entry \(number) (chain "))
        #expect(edited.output.hasSuffix(", place 2) was edited\n"))
        let keyless = try Program.run(
            program, ["audit", "verify"], environment: ["DATABASE_URL": world.database.url])
        #expect(keyless.status == 1)
        #expect(keyless.errors.hasPrefix("token-server-admin: MASTER_KEYS: "))
    }
}
