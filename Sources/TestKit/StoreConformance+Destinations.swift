internal import Log
internal import Tokens

extension StoreConformance {
    private static let first = Destination("https://a.example#sha256:1")
    private static let second = Destination("https://b.example:8443#sha256:2")

    private static let firstElsewhere = Destination("https://a.example#sha256:3")

    private static func moved(_ former: Destination?) -> RealmChange {
        RealmChange(config: .set("{\"url\": \"https://b.example:8443\"}"), formerDestination: former)
    }

    static let destinations: [StoreConformance] = [
        StoreConformance(
            "a new secret is confirmed for the destination it is entered for, and a write of all for a new one"
        ) {
            store in
            _ = try store.write("wx", RealmChange())
            let id = SecretID(realm: "wx", key: "a")
            let credentials: [String: Change<Redacted<String>>] = [
                "key_1": .set(Redacted("1")), "key_2": .set(Redacted("2")),
            ]
            let new = try store.write(id, credentials, discardsToken: false, destination: first)
            try expectEqual(try require(new).confirmedFor, first)
            try expectEqual(try require(try store.material(id)).confirmedFor, first)
            let some = try store.write(id, ["key_1": .set(Redacted("3"))], discardsToken: false, destination: second)
            try expectEqual(try require(some).confirmedFor, first)
            let again = try store.write(
                id, ["key_1": .set(Redacted("3")), "key_2": .clear], discardsToken: true, destination: second)
            try expectEqual(try require(again).confirmedFor, second)
            try expectEqual(try require(try store.secret(id)).confirmedFor, second)
            try expectEqual(try require(try store.material(id)).confirmedFor, second)
        },
        StoreConformance("the same credentials entered for another destination make a new version") { store in
            let fixture = try StoreFixture(store)
            let version = try fixture.snapshot().version
            let change = ["key_1": Change.set(Redacted("one"))]
            _ = try store.write(fixture.id, change, discardsToken: false, destination: first)
            let next = try fixture.snapshot().version
            try expect(next.secret > version.secret, "\(next) after \(version)")
            _ = try store.write(fixture.id, change, discardsToken: false, destination: first)
            try expectEqual(try fixture.snapshot().version, next)
        },
        StoreConformance("a refresh token issued for one destination is not given with what is entered for another") {
            store in
            let fixture = try StoreFixture(store)
            let change = ["key_1": Change.set(Redacted("one"))]
            try fixture.mint(refreshToken: "R2")
            _ = try store.write(fixture.id, change, discardsToken: false, destination: first)
            try expectEqual(try fixture.refreshToken(), Redacted("R2"))
            _ = try store.write(fixture.id, change, discardsToken: false, destination: second)
            try expectEqual(try fixture.refreshToken(), nil)
            try fixture.mint(refreshToken: "R3")
            try expectEqual(try store.confirmSecrets(of: "wx", first), 1)
            try expectEqual(try fixture.refreshToken(), Redacted("R3"))
        },
        StoreConformance(
            "what was entered before destinations were kept is confirmed for the one before the first change"
        ) {
            store in
            let fixture = try StoreFixture(store)
            try expectEqual(try require(try store.material(fixture.id)).confirmedFor, nil)
            try expectEqual(try store.unconfirmedSecrets(of: "wx", second), 0)
            // The same recipe, or none at all, changes nothing.
            _ = try store.write("wx", RealmChange(comment: .set("c"), formerDestination: first))
            try expectEqual(try require(try store.material(fixture.id)).confirmedFor, nil)
            _ = try store.write("wx", moved(first))
            try expectEqual(try require(try store.material(fixture.id)).confirmedFor, first)
            // And for no later one.
            _ = try store.write("wx", RealmChange(config: .clear, formerDestination: second))
            try expectEqual(try require(try store.material(fixture.id)).confirmedFor, first)
        },
        StoreConformance(
            "a confirmation holds for every secret of the realm, and makes a new version where there was any"
        ) {
            store in
            let fixture = try StoreFixture(store)
            let other = try StoreFixture(store, key: "other")
            _ = try store.write("elsewhere", RealmChange())
            let stranger = SecretID(realm: "elsewhere", key: "app")
            _ = try store.write(stranger, [:], discardsToken: false, destination: first)
            _ = try store.write("wx", moved(first))
            let version = try fixture.snapshot().version
            try expectEqual(try store.unconfirmedSecrets(of: "wx", second), 2)
            try expectEqual(try store.confirmSecrets(of: "wx", second), 2)
            try expectEqual(try store.unconfirmedSecrets(of: "wx", second), 0)
            for id in [fixture.id, other.id] {
                try expectEqual(try require(try store.material(id)).confirmedFor, second)
            }
            try expectEqual(try require(try store.material(stranger)).confirmedFor, first)
            let next = try fixture.snapshot().version
            try expect(next.realm > version.realm && next.secret == version.secret, "\(next) after \(version)")
            try expectEqual(try store.confirmSecrets(of: "wx", second), 0)
            try expectEqual(try fixture.snapshot().version, next)
            try expectEqual(try store.confirmSecrets(of: "nobody", second), 0)
        },
    ]

    /// What an earlier version has confirmed for scheme, host and port alone.
    static let originsAlone: [StoreConformance] = [
        StoreConformance("what is confirmed for an origin alone is confirmed for each place there until it is bound") {
            store in
            let fixture = try StoreFixture(store, confirmedFor: Destination(first.origin))
            let version = try fixture.snapshot().version
            try fixture.mint(refreshToken: "R2")
            try expectEqual(try store.unconfirmedSecrets(of: "wx", first), 0)
            try expectEqual(try store.unconfirmedSecrets(of: "wx", firstElsewhere), 0)
            try expectEqual(try store.unconfirmedSecrets(of: "wx", second), 1)
            // A confirmation binds it, and fetches nothing anew.
            try expectEqual(try store.confirmSecrets(of: "wx", first), 1)
            try expectEqual(try fixture.snapshot().version, version)
            try expectEqual(try require(try store.material(fixture.id)).confirmedFor, first)
            try expectEqual(try fixture.refreshToken(), Redacted("R2"))
            try expectEqual(try store.unconfirmedSecrets(of: "wx", firstElsewhere), 1)
        },
        StoreConformance("a change of the recipe binds what is confirmed for an origin alone to where it went") {
            store in
            let here = try StoreFixture(store, key: "here", confirmedFor: Destination(first.origin))
            let there = try StoreFixture(store, key: "there", confirmedFor: Destination(second.origin))
            try here.mint(refreshToken: "R2")
            _ = try store.write("wx", RealmChange(comment: .set("c"), formerDestination: first))
            try expectEqual(
                try require(try store.material(here.id)).confirmedFor, Destination(first.origin))
            _ = try store.write("wx", moved(first))
            try expectEqual(try require(try store.material(here.id)).confirmedFor, first)
            try expectEqual(try here.refreshToken(), Redacted("R2"))
            // To which place there the other went nobody knows any more.
            let unknown = try require(try require(try store.material(there.id)).confirmedFor)
            try expectEqual(unknown.origin, second.origin)
            try expect(!unknown.permits(second), "\(unknown)")
            try expectEqual(try store.unconfirmedSecrets(of: "wx", second), 2)
        },
        StoreConformance("a write of a secret binds what is confirmed for an origin alone and keeps its refresh token")
        {
            store in
            let fixture = try StoreFixture(store, confirmedFor: Destination(first.origin))
            try fixture.mint(refreshToken: "R2")
            let some = try store.write(
                fixture.id, ["key_2": .set(Redacted("two"))], discardsToken: false, destination: first)
            try expectEqual(try require(some).confirmedFor, first)
            try expectEqual(try fixture.refreshToken(), Redacted("R2"))
            let elsewhere = try StoreFixture(store, key: "other", confirmedFor: Destination(first.origin))
            try elsewhere.mint(refreshToken: "R3")
            let change = ["key_2": Change.set(Redacted("two"))]
            let unknown = try require(
                try require(try store.write(elsewhere.id, change, discardsToken: false, destination: second))
                    .confirmedFor)
            try expect(!unknown.permits(first) && !unknown.permits(second), "\(unknown)")
            // Once it is confirmed.
            try expectEqual(try elsewhere.refreshToken(), Redacted("R3"))
        },
    ]
}

extension StoreFixture {
    /// The refresh token that goes with the credentials.
    fileprivate func refreshToken() throws -> Redacted<String>? {
        try require(try store.material(id)).refreshToken
    }

    /// Stores a token and the refresh token that came with it.
    fileprivate func mint(refreshToken: String) throws {
        try take()
        var record = try record("t")
        record.refreshToken = RotatedRefreshToken(
            value: Redacted(refreshToken), from: try require(try store.material(id)))
        try expect(try store.commit(id, record), "the token was not stored")
    }
}
