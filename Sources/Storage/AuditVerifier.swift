internal import Clocks
package import Crypto
package import SQL
internal import Tokens

/// Reads the whole audit and finds what was edited or removed.
///
/// What it can tell: an entry with any column but its number changed; an entry missing between two others, before the
/// first (unless a signed note says that it was removed for its age) or after the last that the chain's row knows; an
/// entry or a note that nobody with a master key has signed; an entry outside its chain's places; a chain whose row is
/// gone; and mints missing at the end of a secret's chain where its token has a later generation. What it cannot tell: that somebody put a chain's row back to an earlier entry
/// and removed all later ones, where no token speaks against it.
package struct AuditVerifier {
    package struct Finding: Sendable, Equatable, CustomStringConvertible {
        package enum Kind: Sendable, Equatable {
            case edited, removed, unsigned
            /// It stands before the beginning of its chain or behind its last entry.
            case outside
            /// Signed with a master key that was not given.
            case unknownKey(String)
        }

        package var kind: Kind
        /// The entry, or the last one before what is missing; 0 where there is none before.
        package var number: Int64
        package var chain: String
        package var place: Int64

        package var description: String {
            let position = "chain \(chain), place \(place)"
            switch kind {
            case .edited: return "entry \(number) (\(position)) was edited"
            case .removed: return "an entry was removed after entry \(number) (\(position))"
            case .outside: return "entry \(number) (\(position)) stands outside its chain"
            case .unsigned: return "entry \(number) (\(position)) has a signature that is not genuine"
            case .unknownKey(let id):
                return "entry \(number) (\(position)) is signed with the master key \(id), which is not given"
            }
        }
    }

    package struct Report: Sendable, Equatable {
        package var chains: Int
        package var entries: Int
        /// The first of each chain, the smallest entry first.
        package var findings: [Finding]

        package init(chains: Int = 0, entries: Int = 0, findings: [Finding] = []) {
            self.chains = chains
            self.entries = entries
            self.findings = findings
        }
    }

    private let connection: any SQL.Connection
    private let keys: SigningKeys
    private static let pageSize: Int64 = 500
    /// What the keys that sign are made for.
    package static let purpose = "audit"

    package init(_ connection: any SQL.Connection, keys: SigningKeys) {
        self.connection = connection
        self.keys = keys
    }

    package func verify() throws -> Report {
        var report = Report()
        var last = ""
        while true {
            let heads = try connection.rows(
                "SELECT chain FROM audit_chain WHERE chain > \(last) ORDER BY chain LIMIT \(Self.pageSize)")
            if heads.isEmpty { break }
            for row in heads {
                last = try row.text(0)
                report.chains += 1
                var result = try verify(last)
                // Entries that are removed for their age while this reads look as if somebody had removed them.
                if result.finding?.kind == .removed { result = try verify(last) }
                report.entries += result.entries
                if let finding = result.finding { report.findings.append(finding) }
            }
        }
        for row in try connection.rows(
            """
            SELECT MIN(audit.id), audit.chain, MIN(audit.place) FROM audit
                LEFT JOIN audit_chain ON audit_chain.chain = audit.chain
            WHERE audit_chain.chain IS NULL GROUP BY audit.chain
            """)
        {
            report.findings.append(
                Finding(
                    kind: .removed, number: try row.integer(0), chain: try row.text(1), place: try row.integer(2)))
        }
        // In one statement, so that what is added meanwhile is behind no head.
        for row in try connection.rows(
            """
            SELECT MIN(audit.id), audit.chain, MIN(audit.place) FROM audit
                INNER JOIN audit_chain ON audit_chain.chain = audit.chain
            WHERE audit.place > audit_chain.place OR audit.place <= audit_chain.pruned_place OR audit.place < 1
            GROUP BY audit.chain
            """)
        {
            report.findings.append(
                Finding(
                    kind: .outside, number: try row.integer(0), chain: try row.text(1), place: try row.integer(2)))
        }
        report.findings.sort { ($0.number, $0.chain) < ($1.number, $1.chain) }
        return report
    }

    private struct Head {
        let chain: String
        let place: Int64
        let hash: String
        let prunedPlace: Int64
        let prunedHash: String
        let pruned: SigningKeys.Signature?

        init(_ row: Row) throws {
            chain = try row.text(0)
            place = try row.integer(1)
            hash = try row.text(2)
            prunedPlace = try row.integer(3)
            prunedHash = try row.text(4)
            let keyID = try row.optionalText(5)
            let code = try row.optionalText(6)
            if let keyID, let code {
                pruned = SigningKeys.Signature(keyID: keyID, code: code)
            } else {
                pruned = nil
            }
        }
    }

    /// The first thing that is wrong with a chain, and how many entries were read until there.
    ///
    /// Token, then head, then entries up to the head: what is added meanwhile is later than what it is compared with.
    private func verify(_ chain: String) throws -> (entries: Int, finding: Finding?) {
        let storedGeneration = try storedGeneration(of: chain)
        let heads = try connection.rows(
            """
            SELECT chain, place, hash, pruned_place, pruned_hash, pruned_signed_with, pruned_signature
            FROM audit_chain WHERE chain = \(chain)
            """)
        guard let head = try heads.first.map(Head.init) else {
            return (0, Finding(kind: .removed, number: 0, chain: chain, place: 1))
        }
        var walk = Walk(chain: chain)
        if head.prunedPlace > 0 {
            walk.place = head.prunedPlace
            walk.hash = head.prunedHash
            let message = AuditPruning.message(chain: chain, place: walk.place, hash: walk.hash)
            if let kind = try fault(head.pruned, message, forged: .removed) { return (0, walk.finding(kind)) }
        }
        var entries = 0
        while walk.place < head.place {
            let rows = try connection.rows(
                """
                SELECT \(AuditColumns.list), place, hash, signed_with, signature FROM audit
                WHERE chain = \(chain) AND place > \(walk.place) AND place <= \(head.place)
                ORDER BY place LIMIT \(Self.pageSize)
                """)
            if rows.isEmpty { return (entries, walk.finding(.removed)) }
            for row in rows {
                entries += 1
                if let kind = try step(&walk, row) { return (entries, walk.finding(kind)) }
            }
        }
        let hasLostMints = walk.generation.map { storedGeneration > $0 } ?? false
        return (entries, hasLostMints || walk.hash != head.hash ? walk.finding(.removed) : nil)
    }

    /// Where a reading of a chain has come to.
    private struct Walk {
        let chain: String
        var place: Int64 = 0
        var hash = ""
        var number: Int64 = 0
        /// Nil before the first entry that tells one.
        var generation: Int64?

        init(chain: String) {
            self.chain = chain
        }

        func finding(_ kind: Finding.Kind) -> Finding {
            Finding(kind: kind, number: number, chain: chain, place: kind == .removed ? place + 1 : place)
        }
    }

    /// Takes the next entry; answers what is wrong with it.
    private func step(_ walk: inout Walk, _ row: Row) throws -> Finding.Kind? {
        let place = try row.integer(10)
        if place != walk.place + 1 { return .removed }
        walk.place = place
        walk.number = try row.integer(0)
        var columns = ColumnReader(row, AuditColumns.names)
        // A text that nothing here writes cannot be read.
        guard let record = try? AuditColumns.record(&columns) else { return .edited }
        let link = AuditLink(
            chain: walk.chain, place: place, at: record.at, entry: record.entry, previous: walk.hash)
        let stored = try row.text(11)
        guard try link.hash() == stored, try AuditLink.name(record.entry.chain) == walk.chain else { return .edited }
        walk.hash = stored
        switch record.entry.action {
        case .placeToken: walk.generation = walk.generation.map { $0 + 1 }
        default: walk.generation = record.entry.generation ?? walk.generation
        }
        let signature = SigningKeys.Signature(keyID: try row.text(12), code: try row.text(13))
        return try fault(signature, Array(stored.utf8), forged: .unsigned)
    }

    private func fault(
        _ signature: SigningKeys.Signature?, _ message: [UInt8], forged: Finding.Kind
    ) throws -> Finding.Kind? {
        guard let signature else { return forged }
        switch try keys.check(signature, of: message) {
        case .genuine: return nil
        case .forged: return forged
        case .unknownKey: return .unknownKey(signature.keyID)
        }
    }

    /// Of the secret that the chain is about; 0 where it is gone or the chain is about none.
    private func storedGeneration(of chain: String) throws -> Int64 {
        let rows = try connection.rows(
            """
            SELECT token.generation FROM audit INNER JOIN token
                ON token.realm = audit.realm AND token.`key` = audit.`key`
            WHERE audit.chain = \(chain) AND audit.action LIKE 'token.%' ORDER BY audit.place LIMIT 1
            """)
        return try rows.first?.integer(0) ?? 0
    }
}
