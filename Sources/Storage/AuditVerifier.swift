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

    /// The first thing that is wrong with a chain, and how many entries were read until there.
    ///
    /// Token, then head, then entries up to the head: what is added meanwhile is later than what it is compared with.
    private func verify(_ chain: String) throws -> (entries: Int, finding: Finding?) {
        let storedGeneration = try storedGeneration(of: chain)
        var walk = AuditWalk(chain: chain, keys: keys)
        guard let head = try AuditHead(of: chain, connection) else { return (0, walk.finding(.removed)) }
        if let kind = try walk.begin(head) { return (0, walk.finding(kind)) }
        var entries = 0
        while walk.place < head.place {
            let rows = try connection.rows(walk.page(before: head, limit: Self.pageSize))
            if rows.isEmpty { return (entries, walk.finding(.removed)) }
            for row in rows {
                entries += 1
                if let kind = try walk.step(row) { return (entries, walk.finding(kind)) }
            }
        }
        let hasLostMints = walk.generation.map { storedGeneration > $0 } ?? false
        return (entries, hasLostMints || walk.hash != head.hash ? walk.finding(.removed) : nil)
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
