internal import Clocks
internal import Log
internal import Tokens

extension StoreConformance {
    static let secrets: [StoreConformance] = [
        StoreConformance("a secret needs its realm, spelled alike") { store in
            _ = try store.write("wx", RealmChange())
            for realm in ["nobody", "WX"] {
                let id = SecretID(realm: realm, key: "a")
                try expectEqual(try store.write(id, ["key_1": .set(Redacted("x"))]), nil)
                try expectEqual(try store.secret(id), nil)
            }
        },
        StoreConformance("a secret shows the names of its credentials, in order") { store in
            _ = try store.write("wx", RealmChange())
            let id = SecretID(realm: "wx", key: "a")
            let written = try require(
                try store.write(id, ["z": .set(Redacted("1")), "a": .set(Redacted("2")), "n": .clear, "k": .keep]))
            try expectEqual(written.credentialNames, ["a", "z"])
            try expectEqual(written, try require(try store.secret(id)))
            try expectEqual(try store.secret(SecretID(realm: "wx", key: "A")), nil)
        },
        StoreConformance("a write of a secret merges, and makes a new version where it changes something") { store in
            let fixture = try StoreFixture(store)
            let first = try fixture.snapshot().version
            _ = try store.write(fixture.id, ["key_1": .set(Redacted("one")), "key_2": .keep, "key_3": .clear])
            try expectEqual(try fixture.snapshot().version, first)
            let secret = try require(try store.write(fixture.id, ["key_2": .set(Redacted("two"))]))
            try expectEqual(secret.credentialNames, ["key_1", "key_2"])
            let second = try fixture.snapshot().version
            try expect(second.secret > first.secret && second.realm == first.realm, "\(second) after \(first)")
            let cleared = try require(try store.write(fixture.id, ["key_1": .clear]))
            try expectEqual(cleared.credentialNames, ["key_2"])
            try expect(try fixture.snapshot().version.secret > second.secret, "a cleared credential does not count")
        },
        StoreConformance("credentials are compared to the byte: composed and decomposed text differ") { store in
            let fixture = try StoreFixture(store)
            _ = try store.write(fixture.id, ["key_1": .set(Redacted("\u{E9}"))])
            let first = try fixture.snapshot().version
            _ = try store.write(fixture.id, ["key_1": .set(Redacted("e\u{301}"))])
            try expect(try fixture.snapshot().version.secret > first.secret, "taken for the same")
            let value = try require(try store.material(fixture.id)).credentials["key_1"]
            try expectEqual(value.map { Array($0.reveal().utf8) }, Array("e\u{301}".utf8))
        },
        StoreConformance("a write of a secret leaves its token and its lease alone") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("t")
            try fixture.take()
            let row = try fixture.row()
            _ = try store.write(fixture.id, ["key_1": .set(Redacted("other"))])
            try expectEqual(try fixture.row(), row)
        },
        StoreConformance("a secret is deleted with its token, and made again without one") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("t")
            try fixture.take()
            let late = try fixture.record("late")
            try expect(try store.deleteSecret(fixture.id), "not deleted")
            try expect(try !store.deleteSecret(fixture.id), "deleted twice")
            try expect(try !store.commit(fixture.id, late), "a token without a secret was stored")
            guard case .unknownSecret = try store.read(fixture.id, clock: SystemClock()) else {
                throw Failure(description: "still found")
            }
            _ = try store.write(fixture.id, ["key_1": .set(Redacted("one"))])
            try expectEqual(try fixture.row().token, nil)
            try expectEqual(try fixture.row().generation, 0)
        },
        StoreConformance("secrets are listed for all realms or for one, page by page") { store in
            for realm in ["a", "b"] {
                _ = try store.write(realm, RealmChange())
                for key in ["1", "2", "3"] {
                    _ = try store.write(SecretID(realm: realm, key: key), ["key_1": .set(Redacted(key))])
                }
            }
            let all = try store.secrets(Page(number: 1, size: 100), realm: nil)
            try expectEqual(all.total, 6)
            let sorted = all.elements.sorted {
                ($1.updatedAt, $1.createdAt, $0.id.realm, $0.id.key) < (
                    $0.updatedAt, $0.createdAt, $1.id.realm, $1.id.key
                )
            }
            try expectEqual(all.elements, sorted)
            let second = try store.secrets(Page(number: 2, size: 2), realm: "b")
            try expectEqual(second.total, 3)
            try expectEqual(second.elements.map(\.id.realm), ["b"])
            try expectEqual(try store.secrets(Page(number: 1, size: 10), realm: "B").total, 0)
        },
    ]
}
