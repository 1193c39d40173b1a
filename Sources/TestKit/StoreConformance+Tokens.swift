internal import Clocks
internal import Log
internal import Tokens

extension StoreConformance {
    static let reading: [StoreConformance] = [
        StoreConformance("what is missing is told apart: realm, then secret") { store in
            let id = SecretID(realm: "wx", key: "app")
            guard case .unknownRealm = try store.read(id, clock: SystemClock()) else {
                throw Failure(description: "no realm, yet not unknownRealm")
            }
            _ = try store.write("wx", RealmChange())
            guard case .unknownSecret = try store.read(id, clock: SystemClock()) else {
                throw Failure(description: "no secret, yet not unknownSecret")
            }
            try expect(try store.material(id) == nil, "material of nothing")
        },
        StoreConformance("a new secret has an empty row, whose fence starts at the clock") { store in
            let fixture = try StoreFixture(store)
            let snapshot = try fixture.snapshot()
            try expectEqual(snapshot.row, TokenRow(fence: snapshot.row.fence))
            let age = snapshot.now.milliseconds - snapshot.row.fence
            try expect(age >= 0 && age < 60_000, "the fence is \(age) ms behind the clock")
        },
        StoreConformance("the clock is the wall clock in milliseconds and does not go back") { store in
            let fixture = try StoreFixture(store)
            let first = try fixture.snapshot().now
            let second = try store.probe().now
            let third = try fixture.snapshot().now
            try expect(first <= second && second <= third, "\(first), \(second), \(third)")
            try expect(try store.probe().isMigrated, "not migrated")
        },
        StoreConformance("a realm has an upstream by its recipe or by its logic_code") { store in
            let fixture = try StoreFixture(store)
            try expect(try fixture.snapshot().hasUpstream, "the recipe does not count")
            _ = try store.write("wx", RealmChange(config: .clear))
            try expect(try !fixture.snapshot().hasUpstream, "nothing counts")
            _ = try store.write("wx", RealmChange(logicCode: .set("https://a.example/code")))
            try expect(try fixture.snapshot().hasUpstream, "logic_code does not count")
        },
        StoreConformance("the material is what was written, at the version of the reading") { store in
            let fixture = try StoreFixture(store)
            let value = "quote\" back\\slash\nline 中文 🙂 e\u{301} %_!' ; --"
            _ = try store.write(fixture.id, ["key_2": .set(Redacted(value)), "名": .set(Redacted(""))])
            let material = try require(try store.material(fixture.id))
            try expectEqual(material.version, try fixture.snapshot().version)
            try expectEqual(material.config, "{\"url\": \"https://a.example\"}")
            try expectEqual(material.logicCode, "")
            let values = material.credentials.mapValues { Array($0.reveal().utf8) }
            try expectEqual(values, ["key_1": Array("one".utf8), "key_2": Array(value.utf8), "名": []])
        },
    ]

    static let leases: [StoreConformance] = [
        StoreConformance("a lease is given once, with the next fence, and names its holder") { store in
            let fixture = try StoreFixture(store)
            let before = try fixture.row()
            let request = try fixture.request(lease: .seconds(10), holder: "h1")
            try expect(try store.take(fixture.id, request), "not given")
            try expect(try !store.take(fixture.id, request), "given twice")
            let snapshot = try fixture.snapshot()
            let row = snapshot.row
            try expectEqual(row.fence, before.fence + 1)
            try expectEqual(row.holder, "h1")
            try expectEqual(row.reason, .dead)
            let takenAt = try require(row.takenAt)
            try expectEqual(row.leaseUntil, takenAt + .seconds(10))
            try expect(takenAt <= snapshot.now && snapshot.now - takenAt < .seconds(60), "taken at another time")
        },
        StoreConformance("a lease that runs is not given to another who has read it") { store in
            let fixture = try StoreFixture(store)
            try fixture.take()
            try expect(try !store.take(fixture.id, try fixture.request(holder: "h2")), "given while it runs")
        },
        StoreConformance("a lease that has run out is given, with the doubt that its taker brings") { store in
            let fixture = try StoreFixture(store)
            try fixture.take(lease: .zero)
            var request = try fixture.request(holder: "h2")
            request.doubts = 3
            request.diesAt = Timestamp(milliseconds: 1_234)
            request.fails = 4
            try expect(try store.take(fixture.id, request), "not given")
            let row = try fixture.row()
            try expectEqual(row.doubts, 3)
            try expectEqual(row.diesAt, Timestamp(milliseconds: 1_234))
            try expectEqual(row.fails, 4)
            try expectEqual(row.holder, "h2")
        },
        StoreConformance("a lease is not given to who has read another fence, generation or marks") { store in
            let fixture = try StoreFixture(store)
            for change: (inout LeaseRequest) -> Void in [{ $0.fence -= 1 }, { $0.generation += 1 }, { $0.marks += 1 }] {
                var request = try fixture.request()
                change(&request)
                try expect(try !store.take(fixture.id, request), "given")
            }
            try expectEqual(try fixture.row().holder, nil)
        },
        StoreConformance("no statement does anything to a secret that is not there") { store in
            let fixture = try StoreFixture(store)
            let request = try fixture.request()
            let record = try fixture.record("t")
            let gone = SecretID(realm: "wx", key: "gone")
            try expect(try !store.take(gone, request), "taken")
            try expect(try !store.commit(gone, record), "committed")
            try expect(try !store.release(gone, LeaseRelease(fence: request.fence, fails: 0, pause: nil)), "released")
        },
    ]

    static let commits: [StoreConformance] = [
        StoreConformance("a commit stores token, expiry, generation and version, and ends lease and pause") { store in
            let fixture = try StoreFixture(store)
            try fixture.take()
            try expect(
                try store.release(
                    fixture.id, LeaseRelease(fence: try fixture.row().fence, fails: 1, pause: try pause(fixture))),
                "not released")
            try fixture.take()
            var record = try fixture.record("token 中 \" \\ 🙂")
            record.version = Version(realm: 5, secret: 6)
            try expect(try store.commit(fixture.id, record), "not stored")
            var expected = TokenRow(fence: record.fence)
            expected.token = record.token
            expected.expiresAt = record.expiresAt
            expected.generation = 1
            expected.mintedAt = record.look
            expected.mintedFor = Version(realm: 5, secret: 6)
            let row = try fixture.row()
            expected.nextMintAt = row.nextMintAt
            expected.ledger = Ledger(day: 0, calls: 2, forced: 0)
            try expectEqual(row, expected)
            try expectEqual(row.token?.reveal(), "token 中 \" \\ 🙂")
            try expect(try !store.commit(fixture.id, record), "stored twice")
        },
        StoreConformance("a commit by an older holder, or on another generation, changes nothing") { store in
            let fixture = try StoreFixture(store)
            try fixture.take(lease: .zero)
            let late = try fixture.record("late")
            try fixture.take()
            try expect(try !store.commit(fixture.id, late), "an older holder stored")
            var other = try fixture.record("other")
            other.generation += 1
            try expect(try !store.commit(fixture.id, other), "another generation")
            try expectEqual(try fixture.row().token, nil)
        },
        StoreConformance("a commit after the lease has run out is done, when nobody else has taken it") { store in
            let fixture = try StoreFixture(store)
            try fixture.take(lease: .zero)
            try expect(try store.commit(fixture.id, try fixture.record("t")), "refused")
        },
        StoreConformance("a token of 64 KiB and one without expiry are kept") { store in
            let fixture = try StoreFixture(store)
            let long = String(repeating: "中文🙂a", count: 6_554)
            try fixture.mint(long, life: nil)
            let row = try fixture.row()
            try expect(row.token?.reveal() == long, "the token came back otherwise")
            try expectEqual(row.expiresAt, nil)
        },
        StoreConformance("the next mint is free at once where no token or a dead one was replaced") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("first", life: .seconds(-10), gap: .seconds(120))
            try expect(try require(try fixture.row().nextMintAt) <= (try fixture.snapshot()).now, "first: it waits")
            try fixture.mint("second", gap: .seconds(120))
            try expect(try require(try fixture.row().nextMintAt) <= (try fixture.snapshot()).now, "second: it waits")
        },
        StoreConformance("the next mint waits the gap, or the end of the old token where that comes first") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("first", life: .seconds(7200), gap: .seconds(120))
            let before = try fixture.snapshot().now
            // The new token is all but dead: what counts is the token that it replaces.
            try fixture.mint("second", life: .seconds(1), gap: .seconds(120))
            let next = try require(try fixture.row().nextMintAt)
            try expect(
                next >= before + .seconds(120) && next <= (try fixture.snapshot()).now + .seconds(120),
                "not the gap after the commit")

            let other = try StoreFixture(store, key: "short")
            try other.mint("first", life: .seconds(60), gap: .seconds(120))
            let end = try require(try other.row().expiresAt)
            try other.mint("second", life: .seconds(7200), gap: .seconds(120))
            try expectEqual(try other.row().nextMintAt, end)
        },
        StoreConformance("a replaced token without expiry may be held for the whole gap") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("first", life: nil, gap: .seconds(120))
            let before = try fixture.snapshot().now
            try fixture.mint("second", gap: .seconds(120))
            try expect(try require(try fixture.row().nextMintAt) >= before + .seconds(120), "it does not wait")
        },
        StoreConformance("the same token again keeps its generation and waits for the given instant") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("same")
            try fixture.take()
            let next = Timestamp(milliseconds: 4_102_444_800_000)
            try expect(
                try store.commit(fixture.id, try fixture.record("same", sameTokenNextMintAt: next)), "not stored")
            let row = try fixture.row()
            try expectEqual(row.generation, 1)
            try expectEqual(row.nextMintAt, next)
            try expectEqual(row.holder, nil)
        },
        StoreConformance("a commit clears doubt, unless a mark came after its look") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("first")
            try fixture.take()
            var record = try fixture.record("second", overlap: .seconds(300))
            let mark = LateMintMark(
                mine: record.fence - 1, marks: 0, mintedBefore: record.look + .seconds(1), diesAt: record.look)
            try expect(try store.mark(fixture.id, mark), "not marked")
            try expect(try store.commit(fixture.id, record), "not stored")
            var row = try fixture.row()
            try expectEqual(row.doubts, 1)
            try expectEqual(row.diesAt, record.look + .seconds(300))
            try expectEqual(row.marks, 1)

            try fixture.take()
            record = try fixture.record("third", overlap: .seconds(300))
            try expect(try store.commit(fixture.id, record), "not stored")
            row = try fixture.row()
            try expectEqual(row.doubts, 0)
            try expectEqual(row.diesAt, nil)
            try expectEqual(row.marks, 1)
        },
    ]

    static let releases: [StoreConformance] = [
        StoreConformance("a release after a failure keeps the token and says how long to wait, and why") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("kept")
            try fixture.take()
            var expected = try fixture.row()
            let pause = try pause(fixture)
            try expect(
                try store.release(fixture.id, LeaseRelease(fence: expected.fence, fails: 1, pause: pause)),
                "not released")
            let snapshot = try fixture.snapshot()
            let retryAt = try require(snapshot.row.retryAt)
            try expect(
                retryAt <= snapshot.now + pause.length && retryAt > snapshot.now, "the pause is not of its length")
            (expected.holder, expected.reason, expected.takenAt, expected.leaseUntil) = (nil, nil, nil, nil)
            expected.retryAt = retryAt
            expected.retryClass = .quota
            expected.retryFor = pause.version
            expected.failure = pause.failure
            expected.fails += 1
            try expectEqual(snapshot.row, expected)
        },
        StoreConformance("a release without a failure ends the lease and nothing else") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("kept")
            var expected = try fixture.row()
            try fixture.take()
            expected.fence += 1
            try expect(
                try store.release(
                    fixture.id, LeaseRelease(fence: expected.fence, fails: 0, pause: nil, extraCalls: -1)),
                "not released")
            try expectEqual(try fixture.row(), expected)
        },
        StoreConformance("a release is done by the holder alone, and once") { store in
            let fixture = try StoreFixture(store)
            try fixture.take()
            let fence = try fixture.row().fence
            try expect(
                try !store.release(fixture.id, LeaseRelease(fence: fence - 1, fails: 0, pause: nil)), "an older holder")
            try expect(try store.release(fixture.id, LeaseRelease(fence: fence, fails: 0, pause: nil)), "not released")
            try expect(
                try !store.release(fixture.id, LeaseRelease(fence: fence, fails: 1, pause: try pause(fixture))), "twice"
            )
            try expectEqual(try fixture.row().fails, 0)
        },
    ]

    static let marks: [StoreConformance] = [
        StoreConformance("a mark sets the end, and counts doubts and marks") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("t")
            let row = try fixture.row()
            let end = Timestamp(milliseconds: 77)
            let mark = LateMintMark(
                mine: row.fence - 1, marks: 0, mintedBefore: try require(row.mintedAt) + .milliseconds(1), diesAt: end)
            try expect(try store.mark(fixture.id, mark), "not marked")
            try expect(try !store.mark(fixture.id, mark), "marked twice by one reading")
            var expected = row
            expected.diesAt = end
            expected.doubts = 1
            expected.marks = 1
            try expectEqual(try fixture.row(), expected)
        },
        StoreConformance("no mark by the newest holder, on a newer token, or on none") { store in
            let fixture = try StoreFixture(store)
            let empty = try fixture.snapshot()
            var mark = LateMintMark(
                mine: empty.row.fence - 1, marks: 0, mintedBefore: empty.now + .seconds(60), diesAt: empty.now)
            try expect(try !store.mark(fixture.id, mark), "marked where nothing was ever minted")
            try fixture.mint("t")
            let row = try fixture.row()
            mark.mine = row.fence
            try expect(try !store.mark(fixture.id, mark), "the newest holder")
            mark.mine = row.fence - 1
            mark.mintedBefore = try require(row.mintedAt)
            try expect(try !store.mark(fixture.id, mark), "a newer token")
            try expectEqual(try fixture.row(), row)
        },
    ]

    private static func pause(_ fixture: StoreFixture) throws -> LeaseRelease.Pause {
        let failure = UpstreamFailure(
            .refused, .quota, detail: "The provider's quota is used up.", code: "45009", message: "达到上限 \"x\"",
            address: "192.0.2.1", retryAfter: .seconds(7))
        return LeaseRelease.Pause(length: .seconds(60), failure: failure, version: try fixture.snapshot().version)
    }
}
