package import Clocks
package import Tokens

extension InMemoryStore: KeyStore {
    package func grant(_ id: String) throws(StoreError) -> KeyReading? {
        statement { state, now in state.keys[id].map { KeyReading(grant: $0.grant, now: now) } }
    }

    package func digests(_ limit: Int) throws(StoreError) -> [[UInt8]] {
        statement { state, now in
            let living = state.keys.values.filter { $0.grant.expiresAt.map { $0 > now } ?? true }
            return living.sorted { $1.createdAt < $0.createdAt }.prefix(limit).map(\.grant.digest)
        }
    }

    package func keys(_ page: Page) throws(StoreError) -> Listing<APIKey> {
        statement { state, _ in
            let found = state.keys.values.sorted {
                ($1.createdAt, $0.grant.id) < ($0.createdAt, $1.grant.id)
            }
            return Listing(elements: found.page(page), total: found.count)
        }
    }

    package func key(_ id: String) throws(StoreError) -> APIKey? {
        statement { state, _ in state.keys[id] }
    }

    package func create(_ grant: KeyGrant, comment: String, by creator: String) throws(StoreError) -> APIKey? {
        statement { state, now in
            if let expiresAt = grant.expiresAt, expiresAt <= now { return nil }
            let key = APIKey(grant: grant, comment: comment, createdAt: now, createdBy: creator)
            state.keys[grant.id] = key
            return key
        }
    }

    package func deleteKey(_ id: String) throws(StoreError) -> Bool {
        statement { state, _ in state.keys.removeValue(forKey: id) != nil }
    }

    package func noteUse(ofKey id: String, at instant: Timestamp) throws(StoreError) {
        statement { state, _ in
            guard let key = state.keys[id], key.grant.usedAt.map({ $0 < instant }) ?? true else { return }
            state.keys[id]?.grant.usedAt = instant
        }
    }
}
