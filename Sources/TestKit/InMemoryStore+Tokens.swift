package import Clocks
package import Tokens

extension InMemoryStore: TokenStore {
    package func read(_ id: SecretID, keyID: String?, arrival: Moment?, clock: any Clock) throws(StoreError) -> Reading
    {
        let asked = clock.now()
        let (lookup, key) = statement { state, now -> (Lookup, KeyReading?) in
            let key = keyID.flatMap { state.keys[$0] }.map { KeyReading(grant: $0.grant, now: now) }
            if keyID != nil, key == nil { return (.unknownRealm, nil) }
            return (state.lookup(id, now: now, asked: asked), key)
        }
        return Reading(lookup, key: key)
    }

    package func material(_ id: SecretID) throws(StoreError) -> Material? {
        statement { state, _ in
            guard let realm = state.realms[id.realm], let secret = state.secrets[id] else { return nil }
            return Material(
                id: id, version: Version(realm: realm.version, secret: secret.version), config: realm.realm.config,
                logicCode: realm.realm.logicCode, credentials: secret.credentials,
                refreshToken: secret.refreshToken.flatMap {
                    $0.descendsFrom == secret.refreshVersion ? $0.value : nil
                },
                refreshVersion: secret.refreshVersion, confirmedFor: secret.confirmedFor)
        }
    }

    package func take(_ id: SecretID, _ lease: LeaseRequest) throws(StoreError) -> Bool {
        update(id) { row, now in
            guard row.fence == lease.fence, row.generation == lease.generation, row.marks == lease.marks,
                row.leaseUntil.map({ $0 <= now }) ?? true
            else { return false }
            row.doubts = lease.doubts
            row.diesAt = lease.diesAt
            row.fails = lease.fails
            row.fence += 1
            row.holder = lease.holder
            row.reason = lease.reason
            row.takenAt = now
            row.leaseUntil = now + lease.lease
            var ledger = row.ledger(on: lease.day)
            ledger.calls += 1
            if lease.reason.isForced { ledger.forced += 1 }
            row.ledger = ledger
            if lease.isUse { row.usedAt = now }
            return true
        }
    }

    package func commit(_ id: SecretID, _ mint: MintRecord) throws(StoreError) -> Bool {
        updateSecret(id, notice: mint.notice) { secret, now in
            var row = secret.row
            guard row.fence == mint.fence, row.generation == mint.generation else { return false }
            if let next = mint.sameTokenNextMintAt {
                row.nextMintAt = next
            } else {
                let replacedEnd = row.token == nil ? now : row.expiresAt ?? now + mint.gap
                row.nextMintAt = max(now, min(replacedEnd, now + mint.gap))
                row.generation += 1
            }
            let isMarked = row.marks != mint.marksAtLook
            row.token = mint.token
            row.expiresAt = mint.expiresAt
            row.mintedAt = mint.look
            row.mintedFor = mint.version
            row.doubts = isMarked ? 1 : 0
            row.diesAt = isMarked ? mint.overlap.map { mint.look + $0 } : nil
            row.dueAt = mint.dueAt
            row.ledger?.calls += mint.extraCalls
            row.fails = 0
            row.endPause()
            row.endLease()
            secret.row = row
            if let refreshToken = mint.refreshToken { secret.refreshToken = refreshToken }
            return true
        }
    }

    package func release(_ id: SecretID, _ release: LeaseRelease) throws(StoreError) -> Bool {
        updateSecret(id, notice: release.notice) { secret, now in
            var row = secret.row
            guard row.fence == release.fence, row.leaseUntil != nil else { return false }
            row.ledger?.calls += release.extraCalls
            row.fails = release.fails
            if release.extraCalls < 0, row.reason?.isForced == true { row.ledger?.forced -= 1 }
            if let pause = release.pause {
                row.retryAt = now + pause.length
                row.retryClass = pause.failure.failureClass
                row.retryFor = pause.version
                row.failure = pause.failure
                if row.dueAt != nil { row.dueAt = now + pause.length }
            }
            row.endLease()
            secret.row = row
            return true
        }
    }

    package func mark(_ id: SecretID, _ mark: LateMintMark) throws(StoreError) -> Bool {
        update(id) { row, _ in
            guard row.fence != mark.mine, row.marks == mark.marks, let mintedAt = row.mintedAt,
                mintedAt < mark.mintedBefore
            else { return false }
            row.diesAt = mark.diesAt
            row.doubts += 1
            row.marks += 1
            return true
        }
    }

    package func abandon(_ id: SecretID, fence: Int64, extraCalls: Int64, notice: Notice?) throws(StoreError) {
        statement { state, now in
            if state.secrets[id]?.row.fence == fence { state.secrets[id]?.row.ledger?.calls += extraCalls }
            if let notice { state.add(notice, of: id, at: now) }
        }
    }

    package func noteUse(_ id: SecretID, seen: Timestamp?, dueAt: Timestamp?) throws(StoreError) -> Bool {
        update(id) { row, now in
            guard row.usedAt == seen else { return false }
            row.usedAt = now
            row.dueAt = row.dueAt ?? dueAt
            return true
        }
    }

    package func noteEarlyReport(_ id: SecretID, generation: Int64) throws(StoreError) -> Bool {
        update(id) { row, _ in
            guard row.generation == generation, row.earlyGeneration != generation else { return false }
            row.earlyReports = row.earlyGeneration == generation - 1 ? row.earlyReports + 1 : 1
            row.earlyGeneration = generation
            return true
        }
    }

    package func enter(_ realm: String, limit: Int, holder: String, length: Duration) throws(StoreError) -> Int? {
        statement { state, now in
            let places = state.places[realm] ?? [:]
            guard let free = (0..<limit).first(where: { places[$0].map { $0.until <= now } ?? true }) else {
                return nil
            }
            state.places[realm, default: [:]][free] = Place(holder: holder, until: now + length)
            return free
        }
    }

    package func leave(_ realm: String, place: Int, holder: String) throws(StoreError) {
        statement { state, _ in
            if state.places[realm]?[place]?.holder == holder { state.places[realm]?[place] = nil }
        }
    }

    private func update(_ id: SecretID, _ body: (inout TokenRow, _ now: Timestamp) -> Bool) -> Bool {
        updateSecret(id, notice: nil) { body(&$0.row, $1) }
    }

    private func updateSecret(
        _ id: SecretID, notice: Notice?, _ body: (inout StoredSecret, _ now: Timestamp) -> Bool
    ) -> Bool {
        statement { state, now in
            guard var secret = state.secrets[id] else { return false }
            let isDone = body(&secret, now)
            if isDone {
                state.secrets[id] = secret
                if let notice { state.add(notice, of: id, at: now) }
            }
            return isDone
        }
    }
}

extension InMemoryStore.State {
    fileprivate func lookup(_ id: SecretID, now: Timestamp, asked: Moment) -> Lookup {
        guard let realm = realms[id.realm] else { return .unknownRealm }
        guard let secret = secrets[id] else { return .unknownSecret }
        return .found(
            Snapshot(
                row: secret.row, version: Version(realm: realm.version, secret: secret.version),
                validFrom: Version(realm: realm.validFrom, secret: secret.validFrom),
                hasUpstream: realm.hasUpstream, policy: realm.policy, now: now, asked: asked))
    }
}

extension TokenRow {
    mutating func endPause() {
        retryAt = nil
        retryClass = nil
        retryFor = nil
        failure = nil
    }

    mutating func endLease() {
        holder = nil
        reason = nil
        takenAt = nil
        leaseUntil = nil
    }
}
