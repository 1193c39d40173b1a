internal import Clocks
internal import JSON
package import Log
package import Tokens

extension InMemoryStore: RealmStore {
    package func realms(_ page: Page, keyword: String?, in scope: Scope) throws(StoreError) -> Listing<Realm> {
        statement { state, _ in
            let found = state.realms.values.map(\.realm)
                .filter { scope.touches($0.id) }
                .filter { realm in
                    guard let keyword else { return true }
                    return realm.id.containsIgnoringASCIICase(keyword)
                        || realm.comment.containsIgnoringASCIICase(keyword)
                }
                .sorted {
                    ($1.updatedAt, $1.createdAt, $0.id) < ($0.updatedAt, $0.createdAt, $1.id)
                }
            return Listing(elements: found.page(page), total: found.count)
        }
    }

    package func realm(_ id: String) throws(StoreError) -> Realm? {
        statement { state, _ in state.realms[id]?.realm }
    }

    package func write(_ id: String, _ change: RealmChange) throws(StoreError) -> Realm {
        statement { state, now in
            guard let old = state.realms[id] else {
                let empty = Realm(
                    id: id, config: nil, logicCode: "", comment: "", policy: nil, createdAt: now, updatedAt: now)
                let realm = change.applied(to: empty)
                var stored = StoredRealm(realm: realm, version: now.milliseconds, policy: Policy(stored: realm.policy))
                if case .set(let key) = change.noticeKey { stored.noticeKey = key }
                state.realms[id] = stored
                return stored.realm
            }
            var new = old
            new.realm = change.applied(to: old.realm)
            if new.realm.isSame(as: old.realm), !change.alwaysWrites { return old.realm }
            new.realm.updatedAt = now
            new.policy = Policy(stored: new.realm.policy)
            switch change.noticeKey {
            case .keep: break
            case .clear: new.noticeKey = nil
            case .set(let key): new.noticeKey = key
            }
            if change.discardsTokens || !new.realm.hasSameRecipe(as: old.realm) {
                new.version = max(old.version + 1, now.milliseconds)
            }
            if change.discardsTokens { new.validFrom = new.version }
            if let former = change.formerDestination, !new.realm.hasSameRecipe(as: old.realm) {
                for (id, secret) in state.secrets where id.realm == new.realm.id {
                    state.secrets[id]?.confirmedFor = former.binding(secret.confirmedFor)
                }
            }
            state.realms[id] = new
            return new.realm
        }
    }

    package func deleteRealm(_ id: String) throws(StoreError) -> RealmDeletion {
        statement { state, _ in
            if state.realms[id] == nil { return .unknown }
            if state.secrets.keys.contains(where: { $0.realm == id }) { return .hasSecrets }
            state.realms[id] = nil
            return .deleted
        }
    }
}

extension InMemoryStore {
    package func unconfirmedSecrets(of id: String, _ destination: Destination) throws(StoreError) -> Int {
        statement { state, _ in
            state.secrets.count { $0.key.realm == id && !($0.value.confirmedFor?.permits(destination) ?? true) }
        }
    }

    package func confirmSecrets(of id: String, _ destination: Destination) throws(StoreError) -> Int {
        statement { state, now in
            let others = state.secrets.filter { $0.key.realm == id && $0.value.confirmedFor != destination }
            for id in others.keys { state.secrets[id]?.confirmedFor = destination }
            let isPermitted = others.values.allSatisfy { $0.confirmedFor?.permits(destination) ?? true }
            if !isPermitted, let version = state.realms[id]?.version {
                state.realms[id]?.version = max(version + 1, now.milliseconds)
            }
            return others.count
        }
    }

    package func usage(of id: String, _ policy: Policy) throws(StoreError) -> RealmUsage {
        statement { state, now in
            let day = policy.day(at: now)
            let ledgers = state.secrets.filter { $0.key.realm == id }.map { $0.value.row.ledger(on: day) }
            return RealmUsage(
                calls: ledgers.reduce(0) { $0 + $1.calls }, forced: ledgers.reduce(0) { $0 + $1.forced },
                mostCalls: ledgers.map(\.calls).max() ?? 0, until: policy.midnight(after: now))
        }
    }
}

extension InMemoryStore: SecretStore {
    package func secrets(_ page: Page, realm: String?, in scope: Scope) throws(StoreError) -> Listing<Secret> {
        statement { state, _ in
            let found = state.secrets
                .filter { scope.contains($0.key) && (realm == nil || $0.key.realm == realm) }
                .map { Secret($0.key, $0.value) }
                .sorted {
                    ($1.updatedAt, $1.createdAt, $0.id.realm, $0.id.key)
                        < ($0.updatedAt, $0.createdAt, $1.id.realm, $1.id.key)
                }
            return Listing(elements: found.page(page), total: found.count)
        }
    }

    package func secret(_ id: SecretID) throws(StoreError) -> Secret? {
        statement { state, _ in state.secrets[id].map { Secret(id, $0) } }
    }

    package func write(
        _ id: SecretID, _ changes: [String: Change<Redacted<String>>], discardsToken: Bool, destination: Destination?
    ) throws(StoreError) -> Secret? {
        statement { state, now in
            guard state.realms[id.realm] != nil else { return nil }
            let old = state.secrets[id]
            var new =
                old
                ?? StoredSecret(
                    credentials: [:], version: now.milliseconds, createdAt: now, updatedAt: now,
                    row: TokenRow(fence: now.milliseconds))
            if let destination {
                let isEnteredAgain = changes.replacesAll(new.credentials.keys)
                new.confirmedFor = isEnteredAgain ? destination : destination.binding(new.confirmedFor)
            }
            for (name, change) in changes {
                switch change {
                case .keep: continue
                case .clear: new.credentials[name] = nil
                case .set(let value): new.credentials[name] = value
                }
            }
            if let old {
                if discardsToken || !new.hasSameCredentials(as: old) || new.confirmedFor != old.confirmedFor {
                    new.version = max(old.version + 1, now.milliseconds)
                    new.updatedAt = now
                    if discardsToken { new.validFrom = new.version }
                } else {
                    new = old
                }
                let isSameRefreshToken = new.credentials["refresh_token"] == old.credentials["refresh_token"]
                let isMoved =
                    if let was = old.confirmedFor, let now = new.confirmedFor { !was.permits(now) } else { false }
                if !isSameRefreshToken || isMoved { new.refreshVersion = new.version }
            }
            state.secrets[id] = new
            return Secret(id, new)
        }
    }

    package func placeToken(_ id: SecretID, _ token: PlacedToken) throws(StoreError) -> TokenPlacement? {
        statement { state, now in
            guard let realm = state.realms[id.realm], var secret = state.secrets[id] else { return nil }
            if realm.hasUpstream { return .hasUpstream }
            secret.row.token = token.token
            switch token.expiry {
            case .never: secret.row.expiresAt = nil
            case .after(let life): secret.row.expiresAt = now + life
            case .at(let instant): secret.row.expiresAt = instant
            }
            secret.row.generation += 1
            secret.row.fence += 1
            secret.row.mintedAt = now
            secret.row.mintedFor = Version(realm: realm.version, secret: secret.version)
            secret.row.doubts = 0
            secret.row.diesAt = nil
            secret.row.nextMintAt = nil
            secret.row.endPause()
            secret.row.endLease()
            state.secrets[id] = secret
            if realm.policy.noticeURL != nil {
                state.add(Notice(.token, generation: secret.row.generation), of: id, at: now)
            }
            return .placed
        }
    }

    package func deleteSecret(_ id: SecretID) throws(StoreError) -> Bool {
        statement { state, _ in state.secrets.removeValue(forKey: id) != nil }
    }
}

extension InMemoryStore.StoredRealm {
    var hasUpstream: Bool { realm.config != nil || !realm.logicCode.isEmpty }
}

extension Policy {
    /// What is stored was checked when it was written.
    fileprivate init(stored text: String?) {
        let value = text.flatMap { try? JSON.Value(parsing: $0.utf8) }
        self = value.flatMap { try? Policy(parsing: $0) } ?? .undeclared
    }
}

extension InMemoryStore.StoredSecret {
    /// Byte by byte: composed and decomposed text are two credentials.
    fileprivate func hasSameCredentials(as other: Self) -> Bool {
        credentials.count == other.credentials.count
            && credentials.allSatisfy { name, value in
                other.credentials[name]?.reveal().utf8.elementsEqual(value.reveal().utf8) ?? false
            }
    }
}

extension Secret {
    fileprivate init(_ id: SecretID, _ stored: InMemoryStore.StoredSecret) {
        self.init(
            id: id, credentialNames: stored.credentials.keys.sorted(), createdAt: stored.createdAt,
            updatedAt: stored.updatedAt)
        confirmedFor = stored.confirmedFor
    }
}

extension Array {
    func page(_ page: Page) -> [Element] {
        let (offset, overflow) = (page.number - 1).multipliedReportingOverflow(by: page.size)
        return overflow ? [] : Array(dropFirst(offset).prefix(page.size))
    }
}

extension String {
    fileprivate func containsIgnoringASCIICase(_ other: String) -> Bool {
        let text = utf8.map(\.lowercasedASCII)
        let part = other.utf8.map(\.lowercasedASCII)
        if part.isEmpty { return true }
        return text.indices.contains { text[$0...].starts(with: part) }
    }
}

extension UInt8 {
    fileprivate var lowercasedASCII: UInt8 {
        UInt8(ascii: "A")...UInt8(ascii: "Z") ~= self ? self + 32 : self
    }
}
