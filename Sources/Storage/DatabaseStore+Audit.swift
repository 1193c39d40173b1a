internal import Clocks
internal import Crypto
internal import SQL
package import Tokens

extension DatabaseStore: AuditStore {
    package func recording<Result>(
        _ entry: AuditEntry, where isDone: (Result) -> Bool, of body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        let entry = AuditLink.fitted(entry)
        for _ in 0..<32 {
            wasOvertaken = false
            var result: Result?
            do {
                let receipt = try rawTransaction {
                    let link = try reserve(entry)
                    let value = try body()
                    result = value
                    if !isDone(value) { throw NothingDone() }
                    return try append(link)
                }
                receipts.append(receipt)
                if let result { return result }
            } catch is NothingDone {
                if let result { return result }
            } catch let error as DatabaseError {
                // Undone because two met on locks: one goes first, and this one begins again.
                if error.code != .deadlock { throw StoreError(error) }
            } catch let error as StoreError {
                if !wasOvertaken { throw error }
            } catch {
                throw .broken("an unexpected error in a transaction")
            }
        }
        throw .unavailable
    }

    /// Gives back the place in the chain.
    private struct NothingDone: Error {}

    package func takeReceipts() -> [AuditReceipt] {
        defer { receipts.removeAll(keepingCapacity: true) }
        return receipts
    }

    /// Takes the next place of the entry's chain, in the transaction of what it tells of.
    ///
    /// The chain's row is locked from here to the commit: those who write to one chain wait for one another, from before
    /// they read what they change. Others wait for nobody.
    private func reserve(_ entry: AuditEntry) throws -> AuditLink {
        let chain = try AuditLink.name(entry.chain)
        try connection.execute(
            """
            INSERT INTO audit_chain (chain, place, hash) VALUES (\(chain), 1, '')
            \(unsafeSQL: connection.dialect.onConflict(with: "chain")) place = audit_chain.place + 1
            """)
        let found = try connection.rows("SELECT \(now), place, hash FROM audit_chain WHERE chain = \(chain)")
        guard let row = found.first else { throw StoreError.broken("audit_chain has lost a row") }
        var columns = ColumnReader(row, ["clock", "audit_chain.place", "audit_chain.hash"])
        let at = try columns.instant()
        return AuditLink(
            chain: chain, place: try columns.integer(), at: at, entry: entry, previous: try columns.text())
    }

    private func append(_ link: AuditLink) throws -> AuditReceipt {
        let entry = link.entry
        let chain = link.chain
        let hash = try link.hash()
        let signature = try sealer.signer.sign(Array(hash.utf8))
        try connection.execute(
            """
            INSERT INTO audit
                (chain, place, at, actor, request_id, action, realm, `key`, outcome, detail, generation, hash,
                 signed_with, signature)
            VALUES (\(chain), \(link.place), \(link.at.milliseconds), \(entry.author.caller), \(entry.author.requestID),
                \(entry.action.rawValue), \(entry.realm), \(entry.key), \(entry.outcome), \(entry.detail),
                \(entry.generation), \(hash), \(signature.keyID), \(signature.code))
            """)
        try connection.execute("UPDATE audit_chain SET hash = \(hash) WHERE chain = \(chain)")
        return AuditReceipt(chain: chain, place: link.place, hash: hash)
    }

    package func audit(
        _ page: Page, realm: String?, key: String?, in scope: Scope
    ) throws(StoreError) -> Listing<AuditRecord> {
        var condition: Query = "1 = 1"
        if let realm { condition = "\(condition) AND audit.realm = \(realm)" }
        if let key { condition = "\(condition) AND audit.`key` = \(key)" }
        if !scope.isEverything {
            // Entries about a whole realm are of interest to whoever may see any of it; those about API keys to administrators.
            let ofRealm: Query = "audit.`key` IS NULL AND \(scope.condition(realm: "audit.realm"))"
            let ofSecret = scope.condition(realm: "audit.realm", key: "audit.`key`")
            condition = "\(condition) AND ((\(ofRealm)) OR (audit.`key` IS NOT NULL AND \(ofSecret)))"
        }
        let total = try count("SELECT COUNT(*) FROM audit WHERE \(condition)")
        let found = try rows(
            "SELECT \(AuditColumns.list) FROM audit WHERE \(condition) ORDER BY audit.id DESC \(page.limit)")
        var records: [AuditRecord] = []
        for row in found {
            var columns = ColumnReader(row, AuditColumns.names)
            records.append(try AuditColumns.record(&columns))
        }
        return Listing(elements: records, total: total)
    }
}

/// The columns of `audit` that make an `AuditRecord`, in the order in which they are selected and read.
enum AuditColumns {
    static let names = [
        "id", "at", "actor", "request_id", "action", "realm", "key", "outcome", "detail", "generation",
    ].map { "audit.\($0)" }
    static let list: Query = """
        audit.id, audit.at, audit.actor, audit.request_id, audit.action, audit.realm, audit.`key`, audit.outcome,
        audit.detail, audit.generation
        """

    static func record(_ columns: inout ColumnReader) throws(StoreError) -> AuditRecord {
        let number = try columns.integer()
        let at = try columns.instant()
        let actor = try columns.text()
        let requestID = try columns.text()
        guard let action: AuditEntry.Action = try columns.optionalWord() else {
            throw .broken("audit.action is not set")
        }
        return AuditRecord(
            number: number, at: at,
            entry: AuditEntry(
                Author(caller: actor, requestID: requestID), action, realm: try columns.optionalText(),
                key: try columns.optionalText(), outcome: try columns.text(), detail: try columns.text(),
                generation: try columns.optionalInteger()))
    }
}
