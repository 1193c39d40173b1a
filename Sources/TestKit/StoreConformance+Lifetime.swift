internal import Clocks
internal import Log
internal import Tokens

/// What the rules of a token's life add to the statements of the protocol.
extension StoreConformance {
    static let lifetime: [StoreConformance] = [
        StoreConformance("the ledger counts calls by day, those that were forced, and gives back what was not sent") {
            store in
            let fixture = try StoreFixture(store)
            func call(day: Int64, _ reason: RefreshReason, extra: Int64) throws {
                var request = try fixture.request()
                request.day = day
                request.reason = reason
                try expect(try store.take(fixture.id, request), "not given")
                let release = LeaseRelease(fence: request.fence + 1, fails: 0, pause: nil, extraCalls: extra)
                try expect(try store.release(fixture.id, release), "not released")
            }
            try call(day: 5, .dead, extra: 0)
            try call(day: 5, .flush, extra: 1)
            try expectEqual(try fixture.row().ledger, Ledger(day: 5, calls: 3, forced: 1))
            try call(day: 5, .report, extra: -1)
            try expectEqual(try fixture.row().ledger, Ledger(day: 5, calls: 3, forced: 1))
            try call(day: 6, .report, extra: 0)
            try expectEqual(try fixture.row().ledger, Ledger(day: 6, calls: 1, forced: 1))
            try call(day: 7, .soft, extra: 0)
            try expectEqual(try fixture.row().ledger, Ledger(day: 7, calls: 1, forced: 0))
            try fixture.take()
            var record = try fixture.record("t")
            record.extraCalls = 1
            try expect(try store.commit(fixture.id, record), "not stored")
            try expectEqual(try fixture.row().ledger, Ledger(day: 0, calls: 2, forced: 0))
        },
        StoreConformance("use is noted by the lease of a caller, or by one of those who have seen the same") { store in
            let fixture = try StoreFixture(store)
            try fixture.take()
            try expectEqual(try fixture.row().usedAt, nil)
            try expect(try store.noteUse(fixture.id, seen: nil, dueAt: nil), "not noted")
            let first = try require(try fixture.row().usedAt)
            try expect(try !store.noteUse(fixture.id, seen: nil, dueAt: nil), "noted twice")
            let due = Timestamp(milliseconds: 4_102_444_800_000)
            try expect(try store.noteUse(fixture.id, seen: first, dueAt: due), "not noted again")
            try expectEqual(try fixture.row().dueAt, due)
            let second = try fixture.row().usedAt
            try expect(try store.noteUse(fixture.id, seen: second, dueAt: due + .seconds(1)), "not noted a third time")
            try expectEqual(try fixture.row().dueAt, due)
            let other = try StoreFixture(store, key: "other")
            var request = try other.request()
            request.isUse = true
            try expect(try store.take(other.id, request), "not given")
            try expectEqual(try other.row().usedAt, try other.row().takenAt)
        },
        StoreConformance("reports of young tokens count once a generation, and in a row") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("one")
            try expect(try store.noteEarlyReport(fixture.id, generation: 1), "not noted")
            try expect(try !store.noteEarlyReport(fixture.id, generation: 1), "noted twice")
            try expect(try !store.noteEarlyReport(fixture.id, generation: 2), "of another generation")
            try expectEqual(try fixture.row().earlyReports, 1)
            try expect(try !fixture.row().isRefreshedElsewhere, "one is no pattern")
            try fixture.mint("two")
            try expect(try store.noteEarlyReport(fixture.id, generation: 2), "not noted")
            try expect(try fixture.row().isRefreshedElsewhere, "two are")
            try fixture.mint("three")
            try fixture.mint("four")
            try expect(try !fixture.row().isRefreshedElsewhere, "two generations lived in peace")
            try expect(try store.noteEarlyReport(fixture.id, generation: 4), "not noted")
            try expectEqual(try fixture.row().earlyReports, 1)
        },
        StoreConformance("a realm's places are given so many times, and come back by hand or by time") { store in
            let first = try require(try store.enter("wx", limit: 2, holder: "a", length: .seconds(60)))
            let second = try require(try store.enter("wx", limit: 2, holder: "b", length: .seconds(60)))
            try expect(first != second, "one place for two")
            try expectEqual(try store.enter("wx", limit: 2, holder: "c", length: .seconds(60)), nil)
            try expect(try store.enter("Wx", limit: 1, holder: "c", length: .seconds(60)) != nil, "another realm")
            try store.leave("wx", place: first, holder: "b")
            try expectEqual(try store.enter("wx", limit: 2, holder: "c", length: .seconds(60)), nil)
            try store.leave("wx", place: first, holder: "a")
            try expectEqual(try store.enter("wx", limit: 2, holder: "c", length: .zero), first)
            // Its holder was lost: the time is over.
            try expectEqual(try store.enter("wx", limit: 2, holder: "d", length: .seconds(60)), first)
            // A limit that was lowered holds for who comes next.
            try expectEqual(try store.enter("wx", limit: 1, holder: "e", length: .seconds(60)), nil)
        },
        StoreConformance("a realm's policy comes with every reading") { store in
            let fixture = try StoreFixture(store)
            try expectEqual(try fixture.snapshot().policy, .undeclared)
            _ = try store.write("wx", RealmChange(policy: .set("{\"class\":\"B\",\"renew_window\":60.5,\"quota\":10}")))
            var policy = Policy(.sameUntilWindow)
            policy.renewWindow = .milliseconds(60_500)
            policy.quota = 10
            try expectEqual(try fixture.snapshot().policy, policy)
            _ = try store.write("wx", RealmChange(policy: .clear))
            try expectEqual(try fixture.snapshot().policy, .undeclared)
        },
        StoreConformance("a write that discards makes a version, and nothing older is valid") { store in
            let fixture = try StoreFixture(store)
            try fixture.mint("old")
            try expect(try !fixture.snapshot().isDiscarded, "discarded by nobody")
            let before = try fixture.snapshot().version
            _ = try store.write(fixture.id, [:], discardsToken: true)
            let snapshot = try fixture.snapshot()
            try expect(snapshot.version.secret > before.secret, "no new version")
            try expectEqual(snapshot.validFrom, Version(realm: 0, secret: snapshot.version.secret))
            try expect(snapshot.isDiscarded, "not discarded")
            try fixture.mint("new")
            try expect(try !fixture.snapshot().isDiscarded, "the new one is")
            _ = try store.write(fixture.id, ["key_1": .set(Redacted("two"))])
            try expect(try !fixture.snapshot().isDiscarded, "a change alone discards nothing")
            _ = try store.write("wx", RealmChange(discardsTokens: true))
            try expect(try fixture.snapshot().isDiscarded, "not discarded by its realm")
        },
        StoreConformance("a refresh token is stored with its token, and used until an administrator brings another") {
            store in
            let fixture = try StoreFixture(store)
            _ = try store.write(fixture.id, ["refresh_token": .set(Redacted("r0"))])
            let material = try require(try store.material(fixture.id))
            try expectEqual(material.refreshToken, nil)
            try expectEqual(material.credentials["refresh_token"], Redacted("r0"))
            try fixture.take()
            var record = try fixture.record("t1")
            record.refreshToken = RotatedRefreshToken(value: Redacted("r1"), from: material)
            try expect(try store.commit(fixture.id, record), "not stored")
            try expectEqual(try store.material(fixture.id)?.refreshToken, Redacted("r1"))
            try fixture.mint("t2")
            try expectEqual(try store.material(fixture.id)?.refreshToken, Redacted("r1"))
            _ = try store.write(fixture.id, ["key_1": .set(Redacted("two"))])
            try expectEqual(try store.material(fixture.id)?.refreshToken, Redacted("r1"))
            _ = try store.write(fixture.id, ["refresh_token": .set(Redacted("s0"))])
            try expectEqual(try store.material(fixture.id)?.refreshToken, nil)
            // A call that began with the old line does not bring it back.
            try fixture.take()
            record = try fixture.record("t3")
            record.refreshToken = RotatedRefreshToken(value: Redacted("r2"), from: material)
            try expect(try store.commit(fixture.id, record), "not stored")
            try expectEqual(try store.material(fixture.id)?.refreshToken, nil)
        },
        StoreConformance("a token is placed where nothing fetches one, with or without expiry") { store in
            let fixture = try StoreFixture(store)
            let never = PlacedToken(token: Redacted("p"), expiry: .never)
            try expectEqual(try store.placeToken(fixture.id, never), .hasUpstream)
            try fixture.take()
            let late = try fixture.record("late")
            _ = try store.write("wx", RealmChange(config: .clear))
            try expectEqual(try store.placeToken(fixture.id, never), .placed)
            try expect(try !store.commit(fixture.id, late), "an old call stored over it")
            let row = try fixture.row()
            try expectEqual(row.token, Redacted("p"))
            try expectEqual(row.expiresAt, nil)
            try expectEqual(row.generation, 1)
            try expectEqual(row.mintedFor, try fixture.snapshot().version)
            try expectEqual(row.leaseUntil, nil)
            let short = PlacedToken(token: Redacted("q"), expiry: .after(.seconds(60)))
            try expectEqual(try store.placeToken(fixture.id, short), .placed)
            let snapshot = try fixture.snapshot()
            let left = try require(snapshot.row.expiresAt) - snapshot.now
            try expect(left > .seconds(50) && left <= .seconds(60), "\(left) left")
            let instant = Timestamp(milliseconds: 4_102_444_800_000)
            try expectEqual(
                try store.placeToken(fixture.id, PlacedToken(token: Redacted("r"), expiry: .at(instant))), .placed)
            try expectEqual(try fixture.row().expiresAt, instant)
            try expectEqual(try fixture.row().generation, 3)
            try expectEqual(try store.pendingNotices(limit: 10).notices.count, 0)
            _ = try store.write("wx", RealmChange(policy: .set("{\"notice_url\":\"https://n.example/\"}")))
            try expectEqual(try store.placeToken(fixture.id, short), .placed)
            try expectEqual(
                try store.pendingNotices(limit: 10).notices.map(\.notice), [Notice(.token, generation: 4)])
            let gone = SecretID(realm: "wx", key: "gone")
            try expectEqual(try store.placeToken(gone, never), nil)
        },
        StoreConformance("when the schedule looks again is written by commit and by release") { store in
            let fixture = try StoreFixture(store)
            try fixture.take()
            var record = try fixture.record("t")
            let due = Timestamp(milliseconds: 4_102_444_800_000)
            record.dueAt = due
            try expect(try store.commit(fixture.id, record), "not stored")
            try expectEqual(try fixture.row().dueAt, due)
            try fixture.take()
            let failure = UpstreamFailure(.refused, .quota, detail: "no", isDaily: true)
            let snapshot = try fixture.snapshot()
            let pause = LeaseRelease.Pause(length: .seconds(60), failure: failure, version: snapshot.version)
            try expect(
                try store.release(fixture.id, LeaseRelease(fence: snapshot.row.fence, fails: 1, pause: pause)), "not")
            let row = try fixture.row()
            try expectEqual(row.dueAt, row.retryAt)
            try expectEqual(row.failure, failure)
            try fixture.mint("eternal", life: nil)
            try expectEqual(try fixture.row().dueAt, nil)
        },
        StoreConformance("what is due comes most urgent first, and is moved by who has seen it") { store in
            var ids: [SecretID] = []
            for (key, dueAt) in [
                ("late", Int64(2_000)), ("first", 1_000), ("never", nil), ("future", 4_102_444_800_000),
            ] {
                let fixture = try StoreFixture(store, key: key)
                try fixture.take()
                var record = try fixture.record("t")
                record.dueAt = dueAt.map { Timestamp(milliseconds: $0) }
                try expect(try store.commit(fixture.id, record), "not stored")
                ids.append(fixture.id)
            }
            let (now, tokens) = try store.due(limit: 10)
            try expect(now.milliseconds > 1_000_000_000_000, "\(now)")
            try expectEqual(tokens.map(\.id.key), ["first", "late"])
            try expectEqual(tokens.first?.policy, .undeclared)
            try expectEqual(tokens.map(\.hadNoAnswer), [false, false])
            try expectEqual(try store.due(limit: 1).tokens.map(\.id.key), ["first"])
            try store.postpone(ids[1], seen: Timestamp(milliseconds: 999), to: nil)
            try expectEqual(try store.due(limit: 10).tokens.count, 2)
            try store.postpone(ids[1], seen: Timestamp(milliseconds: 1_000), to: nil)
            try expectEqual(try store.due(limit: 10).tokens.map(\.id.key), ["late"])
            let late = try StoreFixture(store, key: "late")
            try late.take(lease: .zero)
            try expectEqual(try store.due(limit: 10).tokens.map(\.hadNoAnswer), [true])
            try store.postponeAll(of: "elsewhere", due: now, to: now + .seconds(60))
            try expectEqual(try store.due(limit: 10).tokens.count, 1)
            try store.postponeAll(of: "wx", due: now, to: now + .seconds(60))
            try expectEqual(try store.due(limit: 10).tokens.count, 0)
            try expectEqual(try StoreFixture(store, key: "future").row().dueAt?.milliseconds, 4_102_444_800_000)
        },
        StoreConformance("the notices of one realm are put off together, and the old ones given up") { store in
            var ids: [SecretID] = []
            for realm in ["dead", "well"] {
                _ = try store.write(realm, RealmChange(config: .set("{}")))
                let id = SecretID(realm: realm, key: "k")
                _ = try store.write(id, [:])
                for _ in 1...3 {
                    try store.abandon(id, fence: 0, extraCalls: 0, notice: Notice(.token, generation: 1))
                }
                ids.append(id)
            }
            let (now, pending) = try store.pendingNotices(limit: 10)
            try expectEqual(pending.count, 6)
            let first = try require(pending.first)
            try expect(try store.claim(first, next: now + .seconds(60)), "not claimed")
            let next = now + .seconds(3_600)
            let none = try store.postponeNotices(of: "dead", due: now, to: next, oldest: now - .seconds(60))
            try expectEqual(none, 0)
            try expectEqual(try store.pendingNotices(limit: 10).notices.map(\.id), [ids[1], ids[1], ids[1]])
            let lost = try store.postponeNotices(of: "well", due: now, to: next, oldest: now + .seconds(60))
            try expectEqual(lost, 3)
            try expectEqual(try store.pendingNotices(limit: 10).notices.count, 0)
        },
        StoreConformance("a notice is stored with what it tells of, claimed once, and gone when it is removed") {
            store in
            let fixture = try StoreFixture(store)
            let policy = "{\"notice_url\":\"https://n.example/\"}"
            _ = try store.write("wx", RealmChange(policy: .set(policy), noticeKey: .set(Redacted("signing key"))))
            try fixture.take()
            var record = try fixture.record("t")
            record.notice = Notice(.token, generation: 1)
            var other = record
            other.fence -= 1
            try expect(try !store.commit(fixture.id, other), "an older holder stored")
            try expectEqual(try store.pendingNotices(limit: 10).notices.count, 0)
            try expect(try store.commit(fixture.id, record), "not stored")
            try fixture.take()
            let snapshot = try fixture.snapshot()
            let failure = UpstreamFailure(.refused, .quota, detail: "no", code: "45009")
            let notice = Notice(.failure, generation: 1, failure: failure)
            let pause = LeaseRelease.Pause(length: .seconds(60), failure: failure, version: snapshot.version)
            let release = LeaseRelease(fence: snapshot.row.fence, fails: 1, pause: pause, notice: notice)
            try expect(try store.release(fixture.id, release), "not released")
            try store.abandon(fixture.id, fence: snapshot.row.fence, extraCalls: 2, notice: notice)
            try store.abandon(fixture.id, fence: snapshot.row.fence - 1, extraCalls: 2, notice: nil)
            try expectEqual(try fixture.row().ledger?.calls, 4)
            let (now, pending) = try store.pendingNotices(limit: 10)
            try expectEqual(pending.map(\.notice), [Notice(.token, generation: 1), notice, notice])
            try expectEqual(pending.map(\.id), [fixture.id, fixture.id, fixture.id])
            let first = try require(pending.first)
            try expectEqual(first.target, NoticeTarget(url: "https://n.example/", key: Redacted("signing key")))
            try expect(try store.claim(first, next: now + .seconds(60)), "not claimed")
            try expect(try !store.claim(first, next: now + .seconds(60)), "claimed twice")
            try expectEqual(try store.pendingNotices(limit: 10).notices.count, 2)
            try store.remove(pending[1])
            _ = try store.write("wx", RealmChange(policy: .clear))
            try expectEqual(try store.pendingNotices(limit: 10).notices.map(\.target), [nil])
        },
    ]
}
