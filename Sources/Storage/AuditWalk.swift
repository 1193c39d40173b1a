internal import Clocks
internal import Crypto
internal import SQL
internal import Tokens

/// What a chain's row says: its last entry, and the last one that was removed for its age.
struct AuditHead {
    let place: Int64
    let hash: String
    /// 0 where nothing was removed.
    let prunedPlace: Int64
    let prunedHash: String
    let pruned: SigningKeys.Signature?

    /// Nil where the chain has none.
    init?(of chain: String, _ connection: any SQL.Connection) throws {
        let rows = try connection.rows(
            """
            SELECT place, hash, pruned_place, pruned_hash, pruned_signed_with, pruned_signature
            FROM audit_chain WHERE chain = \(chain)
            """)
        guard let row = rows.first else { return nil }
        place = try row.integer(0)
        hash = try row.text(1)
        prunedPlace = try row.integer(2)
        prunedHash = try row.text(3)
        let keyID = try row.optionalText(4)
        let code = try row.optionalText(5)
        if let keyID, let code {
            pruned = SigningKeys.Signature(keyID: keyID, code: code)
        } else {
            pruned = nil
        }
    }
}

/// A reading of a chain from where it begins, which believes nothing that it has not checked.
struct AuditWalk {
    typealias Kind = AuditVerifier.Finding.Kind

    let chain: String
    let keys: SigningKeys
    /// Of the last entry that was read.
    private(set) var place: Int64 = 0
    private(set) var hash = ""
    private(set) var number: Int64 = 0
    private(set) var at = Timestamp(milliseconds: 0)
    /// Nil before the first entry that tells one.
    private(set) var generation: Int64?

    init(chain: String, keys: SigningKeys) {
        self.chain = chain
        self.keys = keys
    }

    func finding(_ kind: Kind) -> AuditVerifier.Finding {
        AuditVerifier.Finding(kind: kind, number: number, chain: chain, place: kind == .removed ? place + 1 : place)
    }

    /// Begins behind what was removed for its age; answers what is wrong with the note of it.
    mutating func begin(_ head: AuditHead) throws -> Kind? {
        if head.prunedPlace == 0 { return nil }
        place = head.prunedPlace
        hash = head.prunedHash
        return try fault(
            head.pruned, AuditPruning.message(chain: chain, place: place, hash: hash), forged: .removed)
    }

    /// The statement of the next entries, as `step` reads them.
    func page(before head: AuditHead, limit: Int64) -> Query {
        """
        SELECT \(AuditColumns.list), place, hash, signed_with, signature FROM audit
        WHERE chain = \(chain) AND place > \(place) AND place <= \(head.place)
        ORDER BY place LIMIT \(limit)
        """
    }

    /// Takes the next entry; answers what is wrong with it.
    mutating func step(_ row: Row) throws -> Kind? {
        let next = try row.integer(10)
        if next != place + 1 { return .removed }
        place = next
        number = try row.integer(0)
        var columns = ColumnReader(row, AuditColumns.names)
        // A text that nothing here writes cannot be read.
        guard let record = try? AuditColumns.record(&columns) else { return .edited }
        let link = AuditLink(chain: chain, place: place, at: record.at, entry: record.entry, previous: hash)
        let stored = try row.text(11)
        guard try link.hash() == stored, try AuditLink.name(record.entry.chain) == chain else { return .edited }
        hash = stored
        at = record.at
        switch record.entry.action {
        case .placeToken: generation = generation.map { $0 + 1 }
        default: generation = record.entry.generation ?? generation
        }
        let signature = SigningKeys.Signature(keyID: try row.text(12), code: try row.text(13))
        return try fault(signature, Array(stored.utf8), forged: .unsigned)
    }

    private func fault(_ signature: SigningKeys.Signature?, _ message: [UInt8], forged: Kind) throws -> Kind? {
        guard let signature else { return forged }
        switch try keys.check(signature, of: message) {
        case .genuine: return nil
        case .forged: return forged
        case .unknownKey: return .unknownKey(signature.keyID)
        }
    }
}
