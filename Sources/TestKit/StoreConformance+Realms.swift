internal import Clocks
internal import Log
internal import Tokens

extension StoreConformance {
    static let realms: [StoreConformance] = [
        StoreConformance("a realm is answered and read back as it was written, to the byte") { store in
            let config = "{ \"b\": 1.50,\n\"a\" :\"\\u4e2d 🙂\" }"
            let written = try store.write(
                "Wx.1", RealmChange(config: .set(config), comment: .set("一行\n二 'x'"), policy: .set("{}")))
            try expectEqual(written, try require(try store.realm("Wx.1")))
            try expectEqual(written.config, config)
            try expectEqual(written.comment, "一行\n二 'x'")
            try expectEqual(written.policy, "{}")
            try expectEqual(written.logicCode, "")
            try expectEqual(written.createdAt, written.updatedAt)
            try expectEqual(try store.realm("wx.1"), nil)
        },
        StoreConformance("a write of a realm keeps what it does not name, and clears what it names so") { store in
            _ = try store.write(
                "wx", RealmChange(config: .set("{}"), logicCode: .set("https://a.example"), comment: .set("c")))
            var realm = try store.write("wx", RealmChange(comment: .set("d")))
            try expectEqual(realm.config, "{}")
            try expectEqual(realm.logicCode, "https://a.example")
            try expectEqual(realm.comment, "d")
            realm = try store.write("wx", RealmChange(config: .clear, logicCode: .clear, comment: .clear))
            try expectEqual(realm.config, nil)
            try expectEqual(realm.logicCode, "")
            try expectEqual(realm.comment, "")
            try expectEqual(realm, try require(try store.realm("wx")))
        },
        StoreConformance("another recipe makes a new version; a comment, a policy or the same recipe do not") { store in
            let fixture = try StoreFixture(store)
            let first = try fixture.snapshot().version
            _ = try store.write("wx", RealmChange(comment: .set("c"), policy: .set("{\"gap\":60}")))
            _ = try store.write("wx", RealmChange(config: .set("{\"url\": \"https://a.example\"}")))
            try expectEqual(try fixture.snapshot().version, first)
            _ = try store.write("wx", RealmChange(config: .set("{\"url\":\"https://a.example\"}")))
            let second = try fixture.snapshot().version
            try expect(second.realm > first.realm && second.secret == first.secret, "\(second) after \(first)")
            _ = try store.write("wx", RealmChange(logicCode: .set("https://b.example")))
            try expect(try fixture.snapshot().version.realm > second.realm, "logic_code does not count")
        },
        StoreConformance("a realm that is deleted and made again does not repeat a version") { store in
            let fixture = try StoreFixture(store)
            let first = try fixture.snapshot()
            try expect(try store.deleteSecret(fixture.id), "not deleted")
            _ = try store.deleteRealm("wx")
            // The clock must move: versions start at its milliseconds.
            while try store.probe().now <= first.now {}
            let second = try StoreFixture(store).snapshot()
            try expect(second.version.realm > first.version.realm, "the realm's version repeats")
            try expect(second.version.secret > first.version.secret, "the secret's version repeats")
            try expect(second.row.fence > first.row.fence, "the fence repeats")
        },
        StoreConformance("a realm is deleted when its last secret is gone, and not before") { store in
            let fixture = try StoreFixture(store)
            guard case .hasSecrets = try store.deleteRealm("wx") else { throw Failure(description: "with secrets") }
            try expect(try store.deleteSecret(fixture.id), "not deleted")
            guard case .deleted = try store.deleteRealm("wx") else { throw Failure(description: "without secrets") }
            guard case .unknown = try store.deleteRealm("wx") else { throw Failure(description: "twice") }
            try expectEqual(try store.realm("wx"), nil)
        },
        StoreConformance("realms are listed page by page, last updated first, then by id") { store in
            for id in ["c", "a", "e", "b", "d"] { _ = try store.write(id, RealmChange()) }
            let pages = try (1...4).map { try store.realms(Page(number: $0, size: 2), keyword: nil) }
            try expectEqual(pages.map(\.total), [5, 5, 5, 5])
            try expectEqual(pages.map(\.elements.count), [2, 2, 1, 0])
            let listed = pages.flatMap(\.elements)
            let sorted = listed.sorted { ($1.updatedAt, $1.createdAt, $0.id) < ($0.updatedAt, $0.createdAt, $1.id) }
            try expectEqual(listed.map(\.id), sorted.map(\.id))
            try expectEqual(Set(listed.map(\.id)).count, 5)
            let last = try store.probe().now
            while try store.probe().now <= last {}
            _ = try store.write("c", RealmChange(comment: .set("now")))
            try expectEqual(try store.realms(Page(number: 1, size: 1), keyword: nil).elements.map(\.id), ["c"])
            try expectEqual(try store.realms(Page(number: .max, size: 100), keyword: nil).elements.count, 0)
        },
        StoreConformance("a keyword is found in id and comment, A to Z in either case, wildcards as they are") {
            store in
            let comments = [
                "plain": "企业微信 Token", "percent": "100% sure", "under_score": "", "bang": "wow!", "back": "a\\b",
                "marked": "50%\u{301} off",
            ]
            for (id, comment) in comments { _ = try store.write(id, RealmChange(comment: .set(comment))) }
            let expected: [(String, Set<String>)] = [
                ("微信", ["plain"]), ("TOKEN", ["plain"]), ("PERC", ["percent"]), ("%", ["percent", "marked"]),
                ("_", ["under_score"]), ("!", ["bang"]), ("\\", ["back"]), ("%\u{301}", ["marked"]), ("a_b", []),
                ("'; DROP TABLE realm; --", []), ("", Set(comments.keys)),
            ]
            for (keyword, ids) in expected {
                let listing = try store.realms(Page(number: 1, size: 100), keyword: keyword)
                try expectEqual(Set(listing.elements.map(\.id)), ids)
                try expectEqual(listing.total, ids.count)
            }
        },
    ]
}
