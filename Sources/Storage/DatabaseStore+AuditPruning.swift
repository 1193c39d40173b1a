internal import Clocks
internal import Crypto
internal import SQL
package import Tokens

/// Removing entries for their age.
///
/// The server signs where a chain begins after it, so that it must have read what it removes: an instant, a place or a hash
/// in the table is the word of whoever can write to it.
extension DatabaseStore {
    package func pruneAudit(olderThan age: Duration, limit: Int) throws(StoreError) -> AuditPruned {
        let horizon = try databaseNow() - age
        var result = AuditPruned()
        for row in try rows(
            "SELECT chain FROM audit WHERE at < \(horizon.milliseconds) GROUP BY chain ORDER BY MIN(at)")
        {
            if result.removed >= limit { break }
            var columns = ColumnReader(row, ["audit.chain"])
            let chain = try columns.text()
            let pruned = try prune(chain, before: horizon, limit: limit - result.removed)
            result.removed += pruned.removed
            result.obstacles += pruned.obstacles
        }
        return result
    }

    /// Removes the beginning of a chain as far as it is genuine, and notes under a signature where the chain begins now.
    private func prune(_ chain: String, before horizon: Timestamp, limit: Int) throws(StoreError) -> AuditPruned {
        try transaction {
            // Nobody else writes to this chain or prunes it meanwhile.
            try connection.execute("UPDATE audit_chain SET place = place WHERE chain = \(chain)")
            var walk = AuditWalk(chain: chain, keys: sealer.signer)
            guard let head = try AuditHead(of: chain, connection) else {
                return AuditPruned(obstacles: [walk.finding(.removed).description])
            }
            // A note under a key that is not given is nobody's: whoever removed entries could have written it.
            if let kind = try walk.begin(head) { return AuditPruned(obstacles: [walk.finding(kind).description]) }
            var beginning = Beginning(horizon: horizon, limit: limit)
            while !beginning.isRead, walk.place < head.place {
                let rows = try connection.rows(walk.page(before: head, limit: Int64(limit)))
                if rows.isEmpty { beginning.stop(walk.finding(.removed)) }
                for row in rows where !beginning.isRead { try beginning.take(row, &walk) }
            }
            let obstacles = beginning.obstacle.map { [$0.description] } ?? []
            guard let last = beginning.proven else { return AuditPruned(obstacles: obstacles) }
            let signature = try sealer.signer.sign(
                AuditPruning.message(chain: chain, place: last.place, hash: last.hash))
            try connection.execute(
                """
                UPDATE audit_chain SET pruned_place = \(last.place), pruned_hash = \(last.hash),
                    pruned_signed_with = \(signature.keyID), pruned_signature = \(signature.code)
                WHERE chain = \(chain)
                """)
            // What stands before the chain's beginning is not ours to remove: `audit verify` names it.
            let removed = try connection.execute(
                "DELETE FROM audit WHERE chain = \(chain) AND place > \(head.prunedPlace) AND place <= \(last.place)")
            return AuditPruned(removed: removed, obstacles: obstacles)
        }
    }

    /// How much of a chain may go: old entries, up to the last that a given key has signed, itself or by a later entry.
    private struct Beginning {
        let horizon: Timestamp
        let limit: Int
        /// The last entry that is old enough, if it is genuine.
        private var old: (place: Int64, hash: String)?
        private var count = 0
        private var isOld = true
        /// The last of those that an entry signed with a given key vouches for.
        private(set) var proven: (place: Int64, hash: String)?
        /// What keeps old entries from going; where it is a key that is not given, a later entry may still vouch for them.
        private(set) var obstacle: AuditVerifier.Finding?
        private(set) var isRead = false

        init(horizon: Timestamp, limit: Int) {
            self.horizon = horizon
            self.limit = limit
        }

        mutating func stop(_ finding: AuditVerifier.Finding) {
            obstacle = finding
            isRead = true
        }

        mutating func take(_ row: Row, _ walk: inout AuditWalk) throws {
            let kind = try walk.step(row)
            switch kind {
            case nil, .unknownKey: break
            case .some(let kind): return stop(walk.finding(kind))
            }
            // A clock that was set back may leave younger entries before older ones: the first of them ends it.
            isOld = isOld && walk.at < horizon && count < limit
            if isOld {
                old = (walk.place, walk.hash)
                count += 1
            }
            if let kind {
                if isOld, obstacle == nil { obstacle = walk.finding(kind) }
            } else {
                // Its hash covers all before it.
                proven = old
                obstacle = nil
            }
            isRead = !isOld && proven?.place == old?.place
        }
    }
}
