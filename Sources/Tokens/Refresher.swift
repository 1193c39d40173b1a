internal import Clocks
internal import Log

/// Takes the lease, looks, calls the provider, commits or releases: the writing half of the refresh protocol.
final class Refresher {
    /// How a refresh ended.
    enum Ended {
        /// The provider's token is stored.
        case minted
        /// The call failed, or its token could not be stored.
        case failed(UpstreamFailure)
        /// Somebody else was faster, or the world changed before anything was sent: read again.
        case overtaken
        case secretGone
        case storeFailed(Refusal)
    }

    private let store: any TokenStore
    private let upstream: any Upstream
    private let clock: any Clock
    private var random: any RandomNumberGenerator

    init(store: any TokenStore, upstream: any Upstream, clock: any Clock, random: any RandomNumberGenerator) {
        self.store = store
        self.upstream = upstream
        self.clock = clock
        self.random = random
    }

    func refresh(
        _ id: SecretID, snapshot: Snapshot, assessment: Assessment, reason: RefreshReason, policy: Policy,
        timeout: Duration
    ) -> Ended {
        let holder = randomHolder()
        do {
            guard try take(id, snapshot, assessment, reason, policy, holder) else { return .overtaken }
            let call = Call(
                id: id, fence: snapshot.row.fence + 1, holder: holder, fails: snapshot.row.fails, policy: policy,
                timeout: timeout)
            return try perform(call)
        } catch .broken(let what) {
            return .storeFailed(.storeBroken(what))
        } catch {
            return .storeFailed(.storeUnavailable)
        }
    }

    /// What stays the same from the take on.
    private struct Call {
        let id: SecretID
        let fence: Int64
        let holder: String
        let fails: Int64
        let policy: Policy
        let timeout: Duration
    }

    /// What the look saw, right before the request was sent.
    private struct Look {
        let row: TokenRow
        let at: Timestamp
        let asked: Moment
        let isAlive: Bool
    }

    // MARK: Take

    private func take(
        _ id: SecretID, _ snapshot: Snapshot, _ assessment: Assessment, _ reason: RefreshReason, _ policy: Policy,
        _ holder: String
    ) throws(StoreError) -> Bool {
        let row = snapshot.row
        let hasLostLease = row.leaseUntil != nil
        let request = LeaseRequest(
            fence: row.fence, generation: row.generation, marks: row.marks,
            doubts: hasLostLease && policy.overlap != nil ? row.doubts + 1 : row.doubts,
            diesAt: hasLostLease && policy.overlap != nil ? assessment.diesAt : row.diesAt,
            fails: hasLostLease ? row.fails + 1 : row.fails, holder: holder, reason: reason, lease: policy.lease)
        do throws(StoreError) {
            return try store.take(id, request)
        } catch .uncertain {
            // The answer was lost, perhaps not the lease.
            guard case .found(let now) = try store.read(id, clock: clock) else { return false }
            return now.row.holder == holder
        }
    }

    // MARK: Look and call

    private func perform(_ call: Call) throws(StoreError) -> Ended {
        guard let material = try store.material(call.id) else { return .secretGone }
        var look: Look?
        var sent: Timestamp?
        let outcome = upstream.mint(
            material, timeout: call.timeout,
            look: {
                look = self.look(call, version: material.version)
                return look != nil
            },
            sent: { sent = look.map { $0.at + $0.asked.elapsed(to: self.clock.now()) } })

        switch outcome {
        case .minted(let token, let life):
            guard let look else { return try releaseUnused(call) }
            return try commit(
                call, token: token, life: life, look: look, sent: sent ?? look.at, version: material.version)
        case .refused(let failure):
            let pause = LeaseRelease.Pause(
                length: Backoff.pause(failure, fails: call.fails + 1), failure: failure, version: material.version)
            _ = try store.release(call.id, LeaseRelease(fence: call.fence, pause: pause))
            return .failed(failure)
        case .unusable(let failure):
            // The call is over, so only a stored token that lives can have been harmed by a mint nobody can read.
            if let look, look.isAlive, call.policy.overlap != nil { return .failed(failure) }
            let pause = LeaseRelease.Pause(
                length: Backoff.pause(failure, fails: call.fails + 1), failure: failure, version: material.version)
            _ = try store.release(call.id, LeaseRelease(fence: call.fence, pause: pause))
            return .failed(failure)
        case .ambiguous(let failure):
            // The open lease stands for the mint that may have happened, unless the request left after its end.
            if let look, let sent, let leaseUntil = look.row.leaseUntil,
                sent + call.timeout + call.policy.grace > leaseUntil
            {
                try mark(call, sent: sent)
            }
            return .failed(failure)
        case .stopped:
            return try releaseUnused(call)
        }
    }

    /// The same reading as everybody's; nil where the call must not be sent.
    private func look(_ call: Call, version: Version) -> Look? {
        for _ in 0..<3 {
            guard let lookup = try? store.read(call.id, clock: clock), case .found(let snapshot) = lookup else {
                return nil
            }
            let elapsed = snapshot.asked.elapsed(to: clock.now())
            if elapsed > .seconds(1) { continue }
            let row = snapshot.row
            guard row.fence == call.fence, row.holder == call.holder, snapshot.version == version,
                let leaseUntil = row.leaseUntil,
                leaseUntil - (snapshot.now + elapsed) >= call.timeout + call.policy.grace
            else { return nil }
            let assessment = Assessment(
                snapshot, wish: .token(minimumLife: nil), policy: call.policy, now: snapshot.now + elapsed)
            return Look(row: row, at: snapshot.now, asked: snapshot.asked, isAlive: assessment.isAlive)
        }
        return nil
    }

    private func releaseUnused(_ call: Call) throws(StoreError) -> Ended {
        _ = try store.release(call.id, LeaseRelease(fence: call.fence, pause: nil))
        return .overtaken
    }

    // MARK: Commit

    private func commit(
        _ call: Call, token: Redacted<String>, life: Duration?, look: Look, sent: Timestamp, version: Version
    ) throws(StoreError) -> Ended {
        let expiresAt = life.map { look.at + $0 }
        let isSameToken = look.row.token == token
        let record = MintRecord(
            fence: call.fence, generation: look.row.generation, token: token, expiresAt: expiresAt, look: look.at,
            version: version, marksAtLook: look.row.marks, gap: call.policy.overlap == nil ? .zero : call.policy.gap,
            overlap: call.policy.overlap,
            sameTokenNextMintAt: isSameToken ? nextMint(ofSameToken: expiresAt, call, look) : nil)
        var lastError: StoreError?
        for _ in 0..<3 {
            do throws(StoreError) {
                if try store.commit(call.id, record) { return .minted }
                // Fenced out: the newer holder must learn that the provider minted after all.
                try mark(call, sent: sent)
                return .overtaken
            } catch {
                lastError = error
            }
            guard let lookup = try? store.read(call.id, clock: clock), case .found(let snapshot) = lookup else {
                continue
            }
            if snapshot.row.token == token, snapshot.row.mintedAt == look.at { return .minted }
            if snapshot.row.fence != call.fence {
                try mark(call, sent: sent)
                return .overtaken
            }
        }
        if let lastError { throw lastError }
        return .overtaken
    }

    /// When the provider may give a new token in place of the one that it gave again: not before the last part of its life.
    private func nextMint(ofSameToken expiresAt: Timestamp?, _ call: Call, _ look: Look) -> Timestamp {
        let pause = max(call.policy.gap, .seconds(60))
        guard let expiresAt else { return look.at + pause }
        return min(expiresAt, look.at + pause)
    }

    // MARK: Mark

    /// Writes down that a mint came late, so that the stored token is known to die of it.
    private func mark(_ call: Call, sent: Timestamp) throws(StoreError) {
        guard let overlap = call.policy.overlap else { return }
        let mintedBefore = sent + call.timeout + call.policy.grace
        for _ in 0..<5 {
            guard case .found(let snapshot) = try store.read(call.id, clock: clock) else { return }
            let row = snapshot.row
            guard row.fence != call.fence, let mintedAt = row.mintedAt, mintedAt < mintedBefore else { return }
            let death = sent - .seconds(1) + (row.doubts == 0 ? overlap : .zero)
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
