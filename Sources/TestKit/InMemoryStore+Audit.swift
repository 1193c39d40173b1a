internal import Clocks
package import Tokens

extension InMemoryStore: AuditStore {
    package func recording<Result>(
        _ entry: AuditEntry, where isDone: (Result) -> Bool, of body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        let result = try body()
        if isDone(result) {
            statement { state, now in
                state.audit.append(AuditRecord(number: Int64(state.audit.count + 1), at: now, entry: entry))
            }
        }
        return result
    }

    package func takeReceipts() -> [AuditReceipt] { [] }

    package func audit(
        _ page: Page, realm: String?, key: String?, in scope: Scope
    ) throws(StoreError) -> Listing<AuditRecord> {
        statement { state, _ in
            let found = state.audit.reversed().filter { record in
                let entry = record.entry
                return (realm == nil || entry.realm == realm) && (key == nil || entry.key == key)
                    && scope.contains(entry)
            }
            return Listing(elements: found.page(page), total: found.count)
        }
    }

    package func pruneAudit(olderThan age: Duration, limit: Int) throws(StoreError) -> AuditPruned {
        statement { state, now in
            let old = state.audit.prefix { $0.at < now - age }.count
            state.audit.removeFirst(min(old, limit))
            return AuditPruned(removed: min(old, limit))
        }
    }
}

extension Scope {
    /// Entries about a whole realm are of interest to whoever may see any of it; those about API keys to administrators.
    fileprivate func contains(_ entry: AuditEntry) -> Bool {
        guard let realm = entry.realm else { return isEverything }
        guard let key = entry.key else { return touches(realm) }
        return contains(SecretID(realm: realm, key: key))
    }
}
