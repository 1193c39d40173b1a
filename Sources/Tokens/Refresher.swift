internal import Clocks
internal import Log

/// Takes the lease, looks, calls the provider, commits or releases: the writing half of the refresh protocol.
final class Refresher {
    /// How a refresh ended.
    enum Ended: Sendable {
        /// The provider's token is stored.
        case minted
        /// The provider's token is at its end already: it is not stored, and a pause is.
        case unservable
        /// The call failed, or its token could not be stored.
        case failed(UpstreamFailure)
        /// Somebody else was faster, or the world changed before anything was sent: read again.
        case overtaken
        /// The realm's places for upstream calls are all taken.
        case crowded
        case secretGone
        case storeFailed(Refusal)

        /// What it means for those who waited for it in the same process: a failure is theirs too, all else is in the row.
        var shared: Ended? {
            switch self {
            case .failed, .storeFailed, .secretGone: self
            case .minted, .unservable, .overtaken, .crowded: nil
            }
        }
    }

    private let store: any TokenStore
    private let upstream: any Upstream
    private let audit: (any AuditStore)?
    private let clock: any Clock
    private var random: any RandomNumberGenerator

    init(
        store: any TokenStore, audit: (any AuditStore)?, upstream: any Upstream, clock: any Clock,
        random: any RandomNumberGenerator
    ) {
        self.store = store
        self.audit = audit
        self.upstream = upstream
        self.clock = clock
        self.random = random
    }

    func refresh(
        _ id: SecretID, snapshot: Snapshot, assessment: Assessment, reason: RefreshReason, isUse: Bool,
        author: Author?, deadline: Moment?
    ) -> Ended {
        let call = Call(
            id: id, fence: snapshot.row.fence + 1, generation: snapshot.row.generation, holder: randomHolder(),
            reason: reason, version: snapshot.version, asksForAnother: reason.isForced || snapshot.isDiscarded,
            before: snapshot.row, policy: snapshot.policy, author: author, deadline: deadline)
        do {
            guard let limit = call.policy.concurrency else {
                return try refresh(call, snapshot, assessment, isUse: isUse)
            }
            let place = try store.enter(id.realm, limit: limit, holder: call.holder, length: call.policy.lease)
            guard let place else { return .crowded }
            // A place that cannot be given back is free again when the lease would have ended.
            defer { try? store.leave(id.realm, place: place, holder: call.holder) }
            return try refresh(call, snapshot, assessment, isUse: isUse)
        } catch .broken(let what) {
            return .storeFailed(.storeBroken(what))
        } catch {
            return .storeFailed(.storeUnavailable)
        }
    }

    private func refresh(
        _ call: Call, _ snapshot: Snapshot, _ assessment: Assessment, isUse: Bool
    ) throws(StoreError) -> Ended {
        try take(call, snapshot, assessment, isUse: isUse) ? try perform(call) : .overtaken
    }

    /// What stays the same from the take on.
    private struct Call {
        let id: SecretID
        let fence: Int64
        let generation: Int64
        let holder: String
        let reason: RefreshReason
        let version: Version
        /// The stored token is not wanted any more, even where the provider would give it again.
        let asksForAnother: Bool
        /// The row before the lease was taken.
        let before: TokenRow
        let policy: Policy
        /// Who is written down as having asked; nil where nothing is.
        let author: Author?
        /// By which the caller's answer must be on its way; nil where nothing sets one.
        let deadline: Moment?

        /// Whether the caller can still be answered if the database is asked once more.
        func hasTime(_ now: Moment) -> Bool {
            deadline.map { now.timeLeft(until: $0) > .milliseconds(200) } ?? true
        }

        /// What the row counts while the lease lasts: the leases lost in a row, this one's predecessor included.
        var lostLeases: Int64 { before.leaseUntil == nil ? 0 : before.fails + 1 }

        /// How many failures of the same kind, for the same version, there have been in a row with this one.
        func fails(_ failure: UpstreamFailure, _ version: Version) -> Int64 {
            let isSame =
                before.leaseUntil == nil && before.retryClass == failure.failureClass && before.retryFor == version
            return isSame ? before.fails + 1 : 1
        }

        func notice(_ event: Notice.Event, generation: Int64, _ failure: UpstreamFailure? = nil) -> Notice? {
            policy.noticeURL == nil ? nil : Notice(event, generation: generation, failure: failure)
        }
    }

    /// Runs a statement that ends the call, and stores with it what became of the call.
    private func recording(
        _ call: Call, _ outcome: String, generation: Int64, _ body: () throws(StoreError) -> Bool
    ) throws(StoreError) -> Bool {
        guard let audit, let author = call.author else { return try body() }
        let entry = AuditEntry(
            author, .mint, realm: call.id.realm, key: call.id.key, outcome: outcome, detail: call.reason.rawValue,
            generation: generation)
        return try audit.recording(entry, where: { $0 }, of: body)
    }

    /// What the look saw, right before the request was sent.
    private struct Look {
        let row: TokenRow
        let at: Timestamp
        let asked: Moment
        let isAlive: Bool
    }

    /// When the request left.
    private struct Sent {
        /// By the database's clock, no earlier than it was: a clock that jumps counts for too much.
        let at: Timestamp
        let moment: Moment
    }

    // MARK: Take

    private func take(
        _ call: Call, _ snapshot: Snapshot, _ assessment: Assessment, isUse: Bool
    ) throws(StoreError) -> Bool {
        let row = snapshot.row
        let hasLostLease = row.leaseUntil != nil
        let isNewDoubt = hasLostLease && call.policy.overlap != nil
        let request = LeaseRequest(
            fence: row.fence, generation: row.generation, marks: row.marks,
            doubts: isNewDoubt ? row.doubts + 1 : row.doubts, diesAt: isNewDoubt ? assessment.diesAt : row.diesAt,
            fails: call.lostLeases, holder: call.holder, reason: call.reason,
            lease: call.policy.lease, day: call.policy.day(at: assessment.now), isUse: isUse)
        do throws(StoreError) {
            return try store.take(call.id, request)
        } catch .uncertain {
            // The answer was lost, perhaps not the lease.
            guard case .found(let now) = try store.read(call.id, clock: clock) else { return false }
            return now.row.holder == call.holder
        }
    }

    // MARK: Look and call

    private func perform(_ call: Call) throws(StoreError) -> Ended {
        var sentCalls: Int64 = 0
        let material: Material
        do throws(StoreError) {
            guard let read = try store.material(call.id) else { return .secretGone }
            material = read
        } catch .quarantined(let version) {
            return try fail(call, .quarantined(call.id), sentCalls, version, at: nil)
        }
        // What to ask for was decided on another version: read again.
        guard material.version == call.version else { return try stop(call, nil, sentCalls, material.version) }
        var lastFailure: UpstreamFailure?
        while true {
            guard let timeout = call.policy.callTime(until: call.deadline, now: clock.now()) else {
                return try stop(call, lastFailure, sentCalls, material.version)
            }
            var look: Look?
            var sent: Sent?
            let outcome = upstream.mint(
                material, forced: call.asksForAnother, timeout: timeout,
                look: {
                    look = self.look(call, version: material.version, timeout: timeout)
                    return look.map { $0.at + $0.asked.elapsed(to: self.clock.now()) }
                },
                sent: { sent = look.map { self.sent(after: $0) } })
            if look != nil { sentCalls += 1 }

            switch outcome {
            case .minted(let token, let life, let refreshToken):
                guard let look else { return try stop(call, lastFailure, sentCalls, material.version) }
                let granted = call.policy.granted(life)
                // A refresh token that came with it must be kept; the stored token given again tells when to ask.
                if let granted, granted < Policy.deadLimit, look.row.token != token, refreshToken == nil {
                    if look.isAlive, call.policy.overlap != nil { return abandon(call, .shortLived, sentCalls) }
                    _ = try fail(call, .shortLived, sentCalls, material.version, at: look)
                    return .unservable
                }
                return try commit(
                    call, token: token, life: granted, refreshToken: refreshToken, look: look,
                    sent: sent ?? Sent(at: look.at, moment: look.asked),
                    material: material, timeout: timeout, extraCalls: sentCalls - 1)
            case .refused(let failure):
                // Once more, where that may help and nothing has happened; the look decides whether the lease leaves the time.
                if failure.failureClass == .transient, failure.retryAfter == nil, lastFailure == nil,
                    !isLast(call, look)
                {
                    lastFailure = failure
                    continue
                }
                return try fail(call, failure, sentCalls, material.version, at: look)
            case .unusable(let failure):
                // The call is over, so only a stored token that lives can have been harmed by a mint nobody can read.
                if let look, look.isAlive, call.policy.overlap != nil { return abandon(call, failure, sentCalls) }
                return try fail(call, failure, sentCalls, material.version, at: look)
            case .ambiguous(let failure):
                // The open lease stands for the mint that may have happened, unless the request left after its end.
                if let look, let sent, let leaseUntil = look.row.leaseUntil,
                    sent.at + timeout + call.policy.grace > leaseUntil
                {
                    try mark(call, sent: sent, timeout: timeout)
                }
                return abandon(call, failure, sentCalls)
            case .stopped:
                return try stop(call, lastFailure, sentCalls, material.version)
            }
        }
    }

    /// Whether the call that `look` let go was the last that the provider allows on this day.
    private func isLast(_ call: Call, _ look: Look?) -> Bool {
        guard let look, let quota = call.policy.quota else { return false }
        return look.row.ledger(on: call.policy.day(at: look.at)).calls >= quota
    }

    /// The same reading as everybody's; nil where the call must not be sent.
    private func look(_ call: Call, version: Version, timeout: Duration) -> Look? {
        for _ in 0..<3 {
            guard let lookup = try? store.read(call.id, clock: clock), case .found(let snapshot) = lookup else {
                return nil
            }
            let elapsed = snapshot.asked.elapsed(to: clock.now())
            if elapsed > .seconds(1) { continue }
            let row = snapshot.row
            guard row.fence == call.fence, row.holder == call.holder, snapshot.version == version,
                let leaseUntil = row.leaseUntil,
                leaseUntil - (snapshot.now + elapsed) >= timeout + call.policy.grace
            else { return nil }
            let assessment = Assessment(snapshot, wish: .token(minimumLife: nil), now: snapshot.now + elapsed)
            return Look(row: row, at: snapshot.now, asked: snapshot.asked, isAlive: assessment.isAlive)
        }
        return nil
    }

    private func sent(after look: Look) -> Sent {
        let now = clock.now()
        return Sent(at: look.at + look.asked.elapsed(to: now), moment: now)
    }

    // MARK: Release

    /// The provider said no, or cannot have heard: nobody tries again for a while.
    private func fail(
        _ call: Call, _ failure: UpstreamFailure, _ sentCalls: Int64, _ version: Version, at look: Look?
    ) throws(StoreError) -> Ended {
        let now = look.map { $0.at + $0.asked.elapsed(to: clock.now()) } ?? clock.now().wall
        let fails = call.fails(failure, version)
        let length = Backoff.pause(failure, fails: fails, policy: call.policy, now: now)
        let release = LeaseRelease(
            fence: call.fence, fails: fails, pause: .init(length: length, failure: failure, version: version),
            extraCalls: sentCalls - 1, notice: call.notice(.failure, generation: call.generation, failure))
        _ = try recording(call, "failed: \(failure.failureClass.rawValue)", generation: call.generation) {
            () throws(StoreError) in try store.release(call.id, release)
        }
        return .failed(failure)
    }

    /// The look said no: the lease is given back, with the failure of the call before if there was one.
    private func stop(
        _ call: Call, _ failure: UpstreamFailure?, _ sentCalls: Int64, _ version: Version
    ) throws(StoreError) -> Ended {
        if let failure { return try fail(call, failure, sentCalls, version, at: nil) }
        let fails = call.before.leaseUntil == nil ? call.before.fails : call.lostLeases
        _ = try store.release(call.id, LeaseRelease(fence: call.fence, fails: fails, pause: nil, extraCalls: -1))
        return .overtaken
    }

    /// Nobody knows what the provider did: the lease runs out by itself.
    private func abandon(_ call: Call, _ failure: UpstreamFailure, _ sentCalls: Int64) -> Ended {
        let notice = call.notice(.failure, generation: call.generation, failure)
        // What the provider said stands whether or not this is written.
        _ = try? recording(call, "unknown: \(failure.failureClass.rawValue)", generation: call.generation) {
            () throws(StoreError) in
            if sentCalls > 1 || notice != nil {
                try store.abandon(call.id, fence: call.fence, extraCalls: sentCalls - 1, notice: notice)
            }
            return true
        }
        return .failed(failure)
    }

    // MARK: Commit

    private func commit(
        _ call: Call, token: Redacted<String>, life: Duration?, refreshToken: Redacted<String>?, look: Look,
        sent: Sent, material: Material, timeout: Duration, extraCalls: Int64
    ) throws(StoreError) -> Ended {
        let policy = call.policy
        let isSameToken = look.row.token == token
        // Providers count in whole seconds: a token that is given again with none left may live for one more.
        let life = isSameToken ? life.map { max($0, .seconds(1)) } : life
        let expiresAt = life.map { look.at + $0 }
        let generation = look.row.generation + (isSameToken ? 0 : 1)
        let record = MintRecord(
            fence: call.fence, generation: look.row.generation, token: token, expiresAt: expiresAt, look: look.at,
            version: material.version, marksAtLook: look.row.marks, gap: policy.gap,
            overlap: policy.overlap,
            sameTokenNextMintAt: isSameToken ? nextMint(ofSameToken: expiresAt, policy, look) : nil,
            refreshToken: refreshToken.map {
                RotatedRefreshToken(value: $0, from: material)
            },
            dueAt: policy.scheduleAt(call.id, expiresAt: expiresAt, life: life), extraCalls: extraCalls,
            notice: isSameToken ? nil : call.notice(.token, generation: generation))
        var lastError: StoreError?
        for _ in 0..<3 where lastError == nil || call.hasTime(clock.now()) {
            do throws(StoreError) {
                let isStored = try recording(call, isSameToken ? "same token" : "minted", generation: generation) {
                    () throws(StoreError) in try store.commit(call.id, record)
                }
                if isStored { return .minted }
                // Fenced out: the newer holder must learn that the provider minted after all.
                try mark(call, sent: sent, timeout: timeout)
                return .overtaken
            } catch {
                lastError = error
            }
            guard let lookup = try? store.read(call.id, clock: clock), case .found(let snapshot) = lookup else {
                continue
            }
            if snapshot.row.token == token, snapshot.row.mintedAt == look.at { return .minted }
            if snapshot.row.fence != call.fence {
                try mark(call, sent: sent, timeout: timeout)
                return .overtaken
            }
        }
        if let lastError { throw lastError }
        return .overtaken
    }

    /// When to ask again after the provider gave the stored token once more: soon enough to meet a new one, never at once.
    private func nextMint(ofSameToken expiresAt: Timestamp?, _ policy: Policy, _ look: Look) -> Timestamp {
        let pause = look.at + max(policy.gap, .seconds(60))
        return expiresAt.map { min($0, pause) } ?? pause
    }

    // MARK: Mark

    /// Writes down that a mint came late, so that the stored token is known to die of it.
    private func mark(_ call: Call, sent: Sent, timeout: Duration) throws(StoreError) {
        guard let overlap = call.policy.overlap else { return }
        let mintedBefore = sent.at + timeout + call.policy.grace
        for _ in 0..<5 {
            guard case .found(let snapshot) = try store.read(call.id, clock: clock) else { return }
            let row = snapshot.row
            guard row.fence != call.fence, let mintedAt = row.mintedAt, mintedAt < mintedBefore else { return }
            // Counted back from now it is no later than it was, so that no jump of a clock makes the token live too long.
            let sentAt = min(sent.at, snapshot.now - sent.moment.elapsed(to: clock.now()))
            let death = sentAt - .seconds(1) + (row.doubts == 0 ? overlap : .zero)
            let mark = LateMintMark(
                mine: call.fence, marks: row.marks, mintedBefore: mintedBefore, diesAt: min(row.diesAt ?? death, death))
            do throws(StoreError) {
                if try store.mark(call.id, mark) { return }
            } catch .uncertain {
                // Read again: a mark that was written has changed `marks`, one too many does no harm but a refresh.
            }
        }
    }

    private func randomHolder() -> String {
        let digits = Array("0123456789abcdef".utf8)
        let bits = random.next()
        let nibbles = (0..<16).map { digits[Int(truncatingIfNeeded: bits >> (4 * UInt64($0))) & 15] }
        return String(decoding: nibbles, as: UTF8.self)
    }
}
