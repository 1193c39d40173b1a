import Clocks
import Log
import SQL
import Storage
import TestKit
import Testing
import Tokens

/// What a caller names is an argument of a prepared statement, never a part of its text.
@Suite struct QuotingTests {
    private static let names = [
        "a' OR '1'='1", "a'; DROP TABLE secret; -- ", "a\" OR \"\"=\"", "a`b", "a\\", "a\\' OR 1=1 #", "a/*", "*/a",
        "%", "_",
        "a?b", ":a", "$1", "\u{BF}'", "縗'", "a\u{0301}'", "a\nb", "a;",
    ]

    @Test(arguments: Driver.allCases)
    func `CVE-2026-39946 (OpenBao): a name is found as it is written, and nothing else by it`(_ driver: Driver) throws {
        let store = DatabaseStore(try driver.migratedDatabase().connection())
        _ = try store.write("plain", RealmChange(config: .set("{}")))
        _ = try store.write(SecretID(realm: "plain", key: "app"), ["key_1": .set(Redacted("x"))])
        for name in Self.names {
            let id = SecretID(realm: name, key: name)
            #expect(try store.realm(name) == nil)
            #expect(try store.read(id, clock: SystemClock()).isUnknown)
            _ = try store.write(name, RealmChange(config: .set("{}"), comment: .set(name)))
            #expect(try store.write(id, ["key_1": .set(Redacted(name))]) != nil)
            #expect(try store.realm(name)?.comment == name)
            #expect(try store.material(id)?.credentials["key_1"]?.reveal() == name)
            #expect(try store.secrets(Page(number: 1, size: 10), realm: name).total == 1)
            let found = try store.realms(Page(number: 1, size: 100), keyword: name).elements.map(\.id)
            #expect(found.allSatisfy { $0.contains(name) || $0 == name }, "\(name): \(found)")
            #expect(found.contains(name))
        }
        #expect(try store.realms(Page(number: 1, size: 100), keyword: nil).total == Self.names.count + 1)
        for name in Self.names {
            #expect(try store.deleteSecret(SecretID(realm: name, key: name)))
            #expect(try store.deleteRealm(name) == .deleted)
        }
        #expect(try store.secret(SecretID(realm: "plain", key: "app")) != nil)
    }
}

extension Lookup {
    fileprivate var isUnknown: Bool {
        if case .found = self { false } else { true }
    }
}
