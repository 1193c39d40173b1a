package import Clocks
package import Tokens

extension InMemoryStore: TokenStore {
    package func read(_ id: SecretID, clock: any Clock) throws(StoreError) -> Lookup {
        let asked = clock.now()
        return statement { state, now in
            guard let realm = state.realms[id.realm] else { return .unknownRealm }
            guard let secret = state.secrets[id] else { return .unknownSecret }
            return .found(
                Snapshot(
                    row: secret.row, version: Version(realm: realm.version, secret: secret.version),
                    hasUpstream: realm.realm.config != nil || !realm.realm.logicCode.isEmpty, now: now, asked: asked))
        }
    }

    package func material(_ id: SecretID) throws(StoreError) -> Material? {
        statement { state, _ in
            guard let realm = state.realms[id.realm], let secret = state.secrets[id] else { return nil }
            return Material(
                id: id, version: Version(realm: realm.version, secret: secret.version), config: realm.realm.config,
                logicCode: realm.realm.logicCode, credentials: secret.credentials)
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
            return true
        }
    }

    package func commit(_ id: SecretID, _ mint: MintRecord) throws(StoreError) -> Bool {
        update(id) { row, now in
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
            row.retryAt = nil
            row.retryClass = nil
            row.retryFor = nil
            row.failure = nil
            row.fails = 0
            row.endLease()
            return true
        }
    }

    package func release(_ id: SecretID, _ release: LeaseRelease) throws(StoreError) -> Bool {
        update(id) { row, now in
            guard row.fence == release.fence, row.leaseUntil != nil else { return false }
            if let pause = release.pause {
                row.retryAt = now + pause.length
                row.retryClass = pause.failure.failureClass
                row.retryFor = pause.version
                row.failure = pause.failure
                row.fails += 1
            }
            row.endLease()
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

    private func update(_ id: SecretID, _ body: (inout TokenRow, _ now: Timestamp) -> Bool) -> Bool {
        statement { state, now in
            guard var secret = state.secrets[id] else { return false }
            let isDone = body(&secret.row, now)
            if isDone { state.secrets[id] = secret }
            return isDone
        }
    }
}

extension TokenRow {
    fileprivate mutating func endLease() {
        holder = nil
        reason = nil
        takenAt = nil
        leaseUntil = nil
    }
}
