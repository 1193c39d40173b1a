internal import Clocks
internal import Log
internal import SQL
package import Tokens

extension DatabaseStore: RealmStore {
    private static let columns: Query =
        """
        realm.id, realm.config, realm.logic_code, realm.comment, realm.policy,
        CASE WHEN realm.notice_key IS NULL THEN 0 ELSE 1 END, realm.created_at, realm.updated_at
        """
    private static let names = [
        "realm.id", "realm.config", "realm.logic_code", "realm.comment", "realm.policy", "realm.notice_key",
        "realm.created_at", "realm.updated_at",
    ]

    package func realms(_ page: Page, keyword: String?, in scope: Scope) throws(StoreError) -> Listing<Realm> {
        // A–Z are found whatever their case; the case of other letters is left to the database.
        var condition: Query = "WHERE \(scope.condition(realm: "realm.id"))"
        if let keyword {
            let pattern = Dialect.contains(keyword)
            condition = """
                \(condition) AND (LOWER(realm.id) LIKE LOWER(\(pattern)) ESCAPE '!'
                    OR LOWER(realm.comment) LIKE LOWER(\(pattern)) ESCAPE '!')
                """
        }
        let total = try count("SELECT COUNT(*) FROM realm \(condition)")
        let found = try rows(
            """
            SELECT \(Self.columns) FROM realm \(condition)
            ORDER BY realm.updated_at DESC, realm.created_at DESC, realm.id \(page.limit)
            """)
        var realms: [Realm] = []
        for row in found {
            var columns = ColumnReader(row, Self.names)
            realms.append(try Self.realm(&columns))
        }
        return Listing(elements: realms, total: total)
    }

    package func realm(_ id: String) throws(StoreError) -> Realm? {
        guard let row = try rows("SELECT \(Self.columns) FROM realm WHERE realm.id = \(id)").first else { return nil }
        var columns = ColumnReader(row, Self.names)
        return try Self.realm(&columns)
    }

    package func write(_ id: String, _ change: RealmChange) throws(StoreError) -> Realm {
        try retrying { () throws(StoreError) -> Realm? in
            // One row in any case, for the clock.
            let found = try rows(
                """
                SELECT \(now), realm.recipe_version, realm.revision, \(Self.columns)
                FROM (SELECT 1 AS one) AS single LEFT JOIN realm ON realm.id = \(id)
                """)
            guard let row = found.first else { throw .broken("the database answered no row for its clock") }
            var columns = ColumnReader(row, ["clock", "realm.recipe_version", "realm.revision"] + Self.names)
            let now = try columns.instant()
            guard let version = try columns.optionalInteger() else {
                let empty = Realm(
                    id: id, config: nil, logicCode: "", comment: "", policy: nil, createdAt: now, updatedAt: now)
                let realm = change.applied(to: empty)
                guard change.changesRecipe else { return try insert(realm, change) ? realm : nil }
                // What lies there of a realm that is gone was entered for another.
                return try guardedTransaction {
                    guard try insert(realm, change) else { throw Overtaken() }
                    try bindUnbound(id, to: .nowhere)
                    return realm
                }
            }
            let revision = try columns.integer()
            let old = try Self.realm(&columns)
            var new = change.applied(to: old)
            if new.isSame(as: old), !change.alwaysWrites { return old }
            new.updatedAt = now
            let isSameRecipe = new.hasSameRecipe(as: old)
            let isSameVersion = isSameRecipe && !change.discardsTokens
            let newVersion = isSameVersion ? version : max(version + 1, now.milliseconds)
            guard let former = change.formerDestination, !isSameRecipe else {
                return try update(new, change, at: revision, version: newVersion) ? new : nil
            }
            return try guardedTransaction {
                guard try update(new, change, at: revision, version: newVersion) else { throw Overtaken() }
                try bindUnbound(id, to: former)
                return new
            }
        }
    }

    package func deleteRealm(_ id: String) throws(StoreError) -> RealmDeletion {
        try retrying { () throws(StoreError) -> RealmDeletion? in
            let found = try rows(
                """
                SELECT realm.revision, (SELECT COUNT(*) FROM secret WHERE secret.realm = realm.id)
                FROM realm WHERE realm.id = \(id)
                """)
            guard let row = found.first else { return .unknown }
            var columns = ColumnReader(row, ["realm.revision", "the number of secrets"])
            let revision = try columns.integer()
            if try columns.integer() > 0 { return .hasSecrets }
            // Who creates a secret counts the revision up in the same transaction: it cannot slip in between.
            let isDeleted = try transaction {
                let deleted = try connection.execute("DELETE FROM realm WHERE id = \(id) AND revision = \(revision)")
                if deleted == 1 { try connection.execute("DELETE FROM upstream_place WHERE realm = \(id)") }
                return deleted == 1
            }
            return isDeleted ? .deleted : nil
        }
    }

    package func usage(of id: String, _ policy: Policy) throws(StoreError) -> RealmUsage {
        // By the database's day: the sums are of the rows that were counted on it.
        let now = try databaseNow()
        let found = try rows(
            """
            SELECT CAST(COALESCE(SUM(calls), 0) AS SIGNED),
                CAST(COALESCE(SUM(forced), 0) AS SIGNED), COALESCE(MAX(calls), 0)
            FROM token WHERE realm = \(id) AND day = \(policy.day(at: now))
            """)
        guard let row = found.first else { throw .broken("the database counted nothing") }
        var columns = ColumnReader(row, ["SUM(token.calls)", "SUM(token.forced)", "MAX(token.calls)"])
        return RealmUsage(
            calls: try columns.integer(), forced: try columns.integer(), mostCalls: try columns.integer(),
            until: policy.midnight(after: now))
    }

    private func insert(_ realm: Realm, _ change: RealmChange) throws(StoreError) -> Bool {
        // Versions start at the clock, so that a realm that is deleted and made again never repeats one.
        let start = realm.createdAt.milliseconds
        var noticeKey: String?
        if case .set(let key) = change.noticeKey {
            noticeKey = try sealer.seal(key, at: SealedPlace(.noticeKey, realm: realm.id, version: start))
        }
        let sealedWith = noticeKey == nil ? nil : sealer.sealingID
        do {
            try connection.execute(
                """
                INSERT INTO realm
                    (id, config, logic_code, comment, policy, notice_key, notice_key_sealed_with, notice_key_version,
                    recipe_version, revision, created_at, updated_at)
                VALUES (\(realm.id), \(realm.config), \(realm.logicCode), \(realm.comment), \(realm.policy),
                    \(noticeKey), \(sealedWith), \(start), \(start), \(start), \(start), \(start))
                """)
            return true
        } catch {
            if error.code == .uniqueViolation { return false }
            throw StoreError(error)
        }
    }

    private func update(
        _ realm: Realm, _ change: RealmChange, at revision: Int64, version: Int64
    ) throws(StoreError) -> Bool {
        let noticeKey: Query
        switch change.noticeKey {
        case .keep: noticeKey = ""
        case .clear: noticeKey = ", notice_key = NULL, notice_key_sealed_with = NULL"
        case .set(let key):
            let place = SealedPlace(.noticeKey, realm: realm.id, version: realm.updatedAt.milliseconds)
            noticeKey = """
                , notice_key = \(try sealer.seal(key, at: place)), notice_key_sealed_with = \(sealer.sealingID),
                notice_key_version = \(place.version)
                """
        }
        let validFrom: Query = if change.discardsTokens { ", valid_from = \(version)" } else { "" }
        return try execute(
            """
            UPDATE realm SET config = \(realm.config), logic_code = \(realm.logicCode), comment = \(realm.comment),
                policy = \(realm.policy), recipe_version = \(version), revision = revision + 1,
                updated_at = \(realm.updatedAt.milliseconds)\(noticeKey)\(validFrom)
            WHERE id = \(realm.id) AND revision = \(revision)
            """) == 1
    }

    private static func realm(_ columns: inout ColumnReader) throws(StoreError) -> Realm {
        Realm(
            id: try columns.text(), config: try columns.optionalText(), logicCode: try columns.text(),
            comment: try columns.text(), policy: try columns.optionalText(), hasNoticeKey: try columns.integer() != 0,
            createdAt: try columns.instant(),
            updatedAt: try columns.instant())
    }
}

extension DatabaseStore {
    func count(_ query: Query) throws(StoreError) -> Int {
        guard let row = try rows(query).first else { throw .broken("the database counted nothing") }
        var columns = ColumnReader(row, ["the number of rows"])
        return Int(try columns.integer())
    }
}

extension Page {
    /// The end of a statement that lists this page.
    var limit: Query {
        let (offset, overflow) = (number - 1).multipliedReportingOverflow(by: size)
        return "LIMIT \(size) OFFSET \(overflow ? Int.max : offset)"
    }
}
