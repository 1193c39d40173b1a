internal import Clocks
internal import Log
internal import Tokens

extension StoreConformance {
    private static let digest = [UInt8](0..<32)
    private static let grant = KeyGrant(
        id: "0123456789abcdef", digest: digest, role: .reader,
        scope: Scope(realms: ["wx", "gh"], secrets: [SecretID(realm: "fs", key: "a:b")]),
        addresses: ["203.0.113.0/24", "2001:db8::1"], expiresAt: Timestamp(milliseconds: 253_402_300_799_999))
    private static let page = Page(number: 1, size: 10)

    static let keys: [StoreConformance] = [
        StoreConformance("a key is read back as it was stored, alone and in lists") { store in
            let made = try require(try store.create(grant, comment: "é", by: "bootstrap"))
            try expectEqual(made.grant, grant)
            try expectEqual(try store.key(grant.id), made)
            try expectEqual(try store.keys(page).elements, [made])
            try expectEqual(try store.grant(grant.id)?.grant, grant)
            let plain = KeyGrant(id: "fedcba9876543210", digest: digest, role: .administrator)
            _ = try store.create(plain, comment: "", by: grant.id)
            try expectEqual(try store.grant(plain.id)?.grant, plain)
            try expectEqual(try store.keys(page).total, 2)
            try expectEqual(try store.keys(Page(number: 2, size: 1)).elements.count, 1)
        },
        StoreConformance("a key that is deleted is found no more, whatever its case was") { store in
            _ = try store.create(grant, comment: "", by: "bootstrap")
            try expectEqual(try store.key("0123456789ABCDEF"), nil)
            try expectEqual(try store.deleteKey("0123456789ABCDEF"), false)
            try expectEqual(try store.deleteKey(grant.id), true)
            try expectEqual(try store.deleteKey(grant.id), false)
            try expectEqual(try store.key(grant.id), nil)
            try expectEqual(try store.grant(grant.id), nil)
        },
        StoreConformance("a key that would have expired is not stored") { store in
            let now = try store.probe().now
            var late = grant
            late.expiresAt = now
            try expectEqual(try store.create(late, comment: "", by: "bootstrap"), nil)
            try expectEqual(try store.keys(page).total, 0)
        },
        StoreConformance("the digests of so many keys are read, of all where there are fewer") { store in
            try expectEqual(try store.digests(10), [])
            for number in UInt8(0)..<3 {
                var key = KeyGrant(id: "000000000000000\(number)", digest: digest, role: .reader)
                key.digest[0] = number
                _ = try require(try store.create(key, comment: "", by: "bootstrap"))
            }
            try expectEqual(try store.digests(10).map { $0[0] }.sorted(), [0, 1, 2])
            try expectEqual(
                try store.digests(10).map { [UInt8]($0[1...]) }, [[UInt8]](repeating: [UInt8](digest[1...]), count: 3))
            try expectEqual(try store.digests(2).count, 2)
        },
        StoreConformance("the use of a key is noted, never an earlier one") { store in
            _ = try store.create(grant, comment: "", by: "bootstrap")
            let used = Timestamp(milliseconds: 1_000)
            try store.noteUse(ofKey: grant.id, at: used)
            try store.noteUse(ofKey: grant.id, at: Timestamp(milliseconds: 999))
            try store.noteUse(ofKey: "fedcba9876543210", at: used)
            try expectEqual(try store.grant(grant.id)?.grant.usedAt, used)
            try expectEqual(try store.key(grant.id)?.grant.usedAt, used)
        },
        StoreConformance("one reading tells of the token and of the key") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("t")
            _ = try store.create(grant, comment: "", by: "bootstrap")
            let clock = SystemClock()
            let reading = try store.read(fixture.id, keyID: grant.id, clock: clock)
            try expectEqual(reading.key?.grant, grant)
            guard case .found(let snapshot) = try reading.lookup() else {
                throw Failure(description: "the secret is not found")
            }
            try expectEqual(snapshot.row, try fixture.row())
            try expectEqual(snapshot.now, try require(reading.key).now)
        },
        StoreConformance("a key is read with an unknown secret and an unknown realm as well") { store in
            let fixture = try StoreFixture(store)
            _ = try store.create(grant, comment: "", by: "bootstrap")
            let clock = SystemClock()
            let noSecret = try store.read(
                SecretID(realm: fixture.id.realm, key: "x"), keyID: grant.id, clock: clock)
            try expectEqual(noSecret.key?.grant, grant)
            guard case .unknownSecret = try noSecret.lookup() else {
                throw Failure(description: "\(try noSecret.lookup())")
            }
            let noRealm = try store.read(SecretID(realm: "x", key: "x"), keyID: grant.id, clock: clock)
            try expectEqual(noRealm.key?.grant, grant)
            guard case .unknownRealm = try noRealm.lookup() else {
                throw Failure(description: "\(try noRealm.lookup())")
            }
            let noKey = try store.read(fixture.id, keyID: "fedcba9876543210", clock: clock)
            try expectEqual(noKey.key, nil)
            guard case .unknownRealm = try noKey.lookup() else { throw Failure(description: "\(try noKey.lookup())") }
        },
        StoreConformance("lists show what is in scope, and count nothing else") { store in
            for realm in ["a", "ab", "A", "b"] {
                _ = try store.write(realm, RealmChange())
                for key in ["k", "l"] { _ = try store.write(SecretID(realm: realm, key: key), [:]) }
            }
            let scope = Scope(realms: ["a"], secrets: [SecretID(realm: "b", key: "l")])
            let realms = try store.realms(page, keyword: nil, in: scope)
            try expectEqual(realms.elements.map(\.id).sorted(), ["a", "b"])
            try expectEqual(realms.total, 2)
            let secrets = try store.secrets(page, realm: nil, in: scope)
            try expectEqual(secrets.elements.map { "\($0.id.realm)/\($0.id.key)" }.sorted(), ["a/k", "a/l", "b/l"])
            try expectEqual(secrets.total, 3)
            try expectEqual(try store.secrets(page, realm: "b", in: scope).total, 1)
            try expectEqual(try store.secrets(page, realm: "ab", in: scope).total, 0)
            try expectEqual(try store.realms(page, keyword: "a", in: scope).elements.map(\.id), ["a"])
            try expectEqual(try store.realms(page, keyword: nil, in: Scope(realms: [], secrets: [])).total, 0)
        },
    ]
}
