package import Clocks
internal import Log
internal import SQL
package import Tokens

extension DatabaseStore: UpkeepStore {
    package func due(limit: Int) throws(StoreError) -> (now: Timestamp, tokens: [DueToken]) {
        let now = try databaseNow()
        // The index first, the realms after it: an optimiser that begins with a few realms reads all their tokens.
        let found = try rows(
            """
            SELECT due.realm, due.`key`, due.due_at, due.used_at, due.had_no_answer, realm.policy
            FROM (
                SELECT realm, `key`, due_at, used_at,
                    CASE WHEN retry_class = 'transient' OR lease_until <= \(now.milliseconds) THEN 1 ELSE 0 END AS had_no_answer
                FROM token
                WHERE due_at <= \(now.milliseconds) ORDER BY due_at LIMIT \(Int64(limit))
            ) AS due INNER JOIN realm ON realm.id = due.realm
            ORDER BY due.due_at
            """)
        var tokens: [DueToken] = []
        for row in found {
            var columns = ColumnReader(
                row, ["token.realm", "token.key", "token.due_at", "token.used_at", "token.retry_class", "realm.policy"])
            let id = SecretID(realm: try columns.text(), key: try columns.text())
            let dueAt = try columns.instant()
            let usedAt = try columns.optionalInstant()
            let hadNoAnswer = try columns.integer() != 0
            let text = try columns.optionalText()
            tokens.append(
                DueToken(id: id, dueAt: dueAt, usedAt: usedAt, policy: try? policy(text), hadNoAnswer: hadNoAnswer))
        }
        return (now: now, tokens: tokens)
    }

    package func postpone(_ id: SecretID, seen: Timestamp, to next: Timestamp?) throws(StoreError) {
        try execute(
            """
            UPDATE token SET due_at = \(next?.milliseconds)
            WHERE realm = \(id.realm) AND `key` = \(id.key) AND due_at = \(seen.milliseconds)
            """)
    }

    package func postponeAll(of realm: String, due now: Timestamp, to next: Timestamp) throws(StoreError) {
        try execute(
            "UPDATE token SET due_at = \(next.milliseconds) WHERE realm = \(realm) AND due_at <= \(now.milliseconds)")
    }

    func databaseNow() throws(StoreError) -> Timestamp {
        guard let row = try rows("SELECT \(now)").first else {
            throw .broken("the database answered no row for its clock")
        }
        var columns = ColumnReader(row, ["clock"])
        return try columns.instant()
    }
}

extension DatabaseStore: NoticeStore {
    package func pendingNotices(limit: Int) throws(StoreError) -> (now: Timestamp, notices: [PendingNotice]) {
        let now = try databaseNow()
        let found = try rows(
            """
            SELECT notice.id, notice.realm, notice.`key`, notice.event, notice.generation, notice.failure,
                notice.created_at, notice.attempts, notice.next_at,
                realm.policy, realm.id, realm.notice_key_version, realm.notice_key_sealed_with, realm.notice_key
            FROM notice LEFT JOIN realm ON realm.id = notice.realm
            WHERE notice.next_at <= \(now.milliseconds) ORDER BY notice.next_at, notice.id LIMIT \(Int64(limit))
            """)
        var notices: [PendingNotice] = []
        for row in found {
            var columns = ColumnReader(
                row,
                [
                    "notice.id", "notice.realm", "notice.key", "notice.event", "notice.generation", "notice.failure",
                    "notice.created_at", "notice.attempts", "notice.next_at", "realm.policy",
                    "realm.id", "realm.notice_key_version", "realm.notice_key_sealed_with", "realm.notice_key",
                ])
            let number = try columns.integer()
            let id = SecretID(realm: try columns.text(), key: try columns.text())
            guard let event: Notice.Event = try columns.optionalWord() else { throw .broken("notice.event is not set") }
            let generation = try columns.integer()
            // A row that cannot be read whole is told with what there is: it must not stop the others.
            let failure = try columns.optionalText().flatMap { try? FailureText.decode($0) }
            let createdAt = try columns.instant()
            let attempts = try columns.integer()
            let nextAt = try columns.instant()
            let text = try columns.optionalText()
            let url = (try? policy(text))?.noticeURL
            let realm = try columns.optionalText() ?? ""
            let place = SealedPlace(.noticeKey, realm: realm, version: try columns.optionalInteger() ?? 0)
            let sealedWith = try columns.optionalText()
            var target: NoticeTarget?
            if let key = try columns.optionalText(), let url {
                target = NoticeTarget(url: url, key: try sealer.open(key, sealedWith: sealedWith, at: place))
            }
            notices.append(
                PendingNotice(
                    number: number, id: id, notice: Notice(event, generation: generation, failure: failure),
                    createdAt: createdAt, attempts: attempts, nextAt: nextAt, target: target))
        }
        return (now: now, notices: notices)
    }

    package func claim(_ notice: PendingNotice, next: Timestamp) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE notice SET attempts = attempts + 1, next_at = \(next.milliseconds)
            WHERE id = \(notice.number) AND next_at = \(notice.nextAt.milliseconds)
            """) == 1
    }

    package func postponeNotices(
        of realm: String, due now: Timestamp, to next: Timestamp, oldest: Timestamp
    ) throws(StoreError) -> Int {
        let lost = try execute(
            """
            DELETE FROM notice
            WHERE realm = \(realm) AND next_at <= \(now.milliseconds) AND created_at < \(oldest.milliseconds)
            """)
        try execute(
            """
            UPDATE notice SET next_at = \(next.milliseconds)
            WHERE realm = \(realm) AND next_at <= \(now.milliseconds)
            """)
        return lost
    }

    package func remove(_ notice: PendingNotice) throws(StoreError) {
        try execute("DELETE FROM notice WHERE id = \(notice.number)")
    }
}
