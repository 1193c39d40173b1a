package import Clocks
internal import Log
package import Tokens

extension InMemoryStore: UpkeepStore {
    package func due(limit: Int) throws(StoreError) -> (now: Timestamp, tokens: [DueToken]) {
        statement { state, now in
            let due = state.secrets.compactMap { id, secret -> DueToken? in
                guard let dueAt = secret.row.dueAt, dueAt <= now, let realm = state.realms[id.realm] else { return nil }
                return DueToken(
                    id: id, dueAt: dueAt, usedAt: secret.row.usedAt, policy: realm.policy,
                    hadNoAnswer: secret.row.retryClass == .transient || secret.row.leaseUntil.map { $0 <= now } ?? false
                )
            }
            return (now: now, tokens: Array(due.sorted { $0.dueAt < $1.dueAt }.prefix(limit)))
        }
    }

    package func postpone(_ id: SecretID, seen: Timestamp, to next: Timestamp?) throws(StoreError) {
        statement { state, _ in
            if state.secrets[id]?.row.dueAt == seen { state.secrets[id]?.row.dueAt = next }
        }
    }
}

extension InMemoryStore {
    package func postponeAll(of realm: String, due now: Timestamp, to next: Timestamp) throws(StoreError) {
        statement { state, _ in
            for (id, secret) in state.secrets where id.realm == realm && secret.row.dueAt.map({ $0 <= now }) ?? false {
                state.secrets[id]?.row.dueAt = next
            }
        }
    }
}

extension InMemoryStore: NoticeStore {
    package func pendingNotices(limit: Int) throws(StoreError) -> (now: Timestamp, notices: [PendingNotice]) {
        statement { state, now in
            var notices = state.notices.filter { $0.nextAt <= now }
            for index in notices.indices {
                let realm = state.realms[notices[index].id.realm]
                notices[index].target = nil
                if let url = realm?.policy.noticeURL, let key = realm?.noticeKey {
                    notices[index].target = NoticeTarget(url: url, key: key)
                }
            }
            return (
                now: now,
                notices: Array(notices.sorted { ($0.nextAt, $0.number) < ($1.nextAt, $1.number) }.prefix(limit))
            )
        }
    }

    package func claim(_ notice: PendingNotice, next: Timestamp) throws(StoreError) -> Bool {
        statement { state, _ in
            guard let index = state.notices.firstIndex(where: { $0.number == notice.number }),
                state.notices[index].nextAt == notice.nextAt
            else { return false }
            state.notices[index].attempts += 1
            state.notices[index].nextAt = next
            return true
        }
    }

    package func postponeNotices(
        of realm: String, due now: Timestamp, to next: Timestamp, oldest: Timestamp
    ) throws(StoreError) -> Int {
        statement { state, _ in
            let count = state.notices.count
            state.notices.removeAll { $0.id.realm == realm && $0.nextAt <= now && $0.createdAt < oldest }
            let lost = count - state.notices.count
            for index in state.notices.indices
            where state.notices[index].id.realm == realm && state.notices[index].nextAt <= now {
                state.notices[index].nextAt = next
            }
            return lost
        }
    }

    package func remove(_ notice: PendingNotice) throws(StoreError) {
        statement { state, _ in state.notices.removeAll { $0.number == notice.number } }
    }
}
