import Clocks
import Log
import Testing
import Tokens

/// What a row means at an instant: the refresh protocol's arithmetic, without any store.
@Suite struct AssessmentTests {
    private let minted = Timestamp(milliseconds: 1_700_000_000_000)
    private let version = Version(realm: 1, secret: 1)

    private func row(life: Duration? = .seconds(7_200), _ change: (inout TokenRow) -> Void = { _ in }) -> TokenRow {
        var row = TokenRow(fence: 7)
        row.token = Redacted("k")
        row.generation = 3
        row.mintedAt = minted
        row.mintedFor = version
        row.expiresAt = life.map { minted + $0 }
        change(&row)
        return row
    }

    private func assess(
        _ row: TokenRow, after elapsed: Duration, wish: Wish = .token(minimumLife: nil), policy: Policy = .undeclared,
        version: Version? = nil, hasUpstream: Bool = true
    ) -> Assessment {
        let now = minted + elapsed
        let snapshot = Snapshot(
            row: row, version: version ?? self.version, hasUpstream: hasUpstream, policy: policy, now: now,
            asked: Moment(wall: now, steady: .zero))
        return Assessment(snapshot, wish: wish, now: now)
    }

    @Test func `a token is due when no more than the soft margin is left`() {
        // Class A: the margin is at most the overlap of 300 s.
        #expect(assess(row(), after: .seconds(6_899)).due == nil)
        #expect(assess(row(), after: .seconds(6_900)).due == .soft)
    }

    @Test func `margins scale with life so that a token of a minute is kept too`() {
        // H = min(120, max(10, 1.2), 15) = 10 s, S = 10 + 12 = 22 s.
        let short = row(life: .seconds(60))
        #expect(assess(short, after: .seconds(37)).due == nil)
        #expect(assess(short, after: .seconds(38)).due == .soft)
    }

    @Test func `where nothing kills the margin is not bound to an overlap`() {
        // H = 120 s, S = 120 + 900 s.
        let free = Policy(.independent)
        #expect(assess(row(), after: .seconds(6_179), policy: free).due == nil)
        #expect(assess(row(), after: .seconds(6_180), policy: free).due == .soft)
    }

    @Test func `less than two seconds left is dead`() {
        #expect(assess(row(), after: .seconds(7_198)).isAlive)
        let dead = assess(row(), after: .milliseconds(7_198_001))
        #expect(!dead.isAlive)
        #expect(dead.due == .dead)
    }

    @Test func `a token that was given again is waited for at its end, unless an administrator discarded it`() {
        let dying = row { $0.nextMintAt = $0.expiresAt }
        let now = minted + .seconds(7_199)
        var snapshot = Snapshot(
            row: dying, version: version, hasUpstream: true, policy: Policy(.sameWhileValid), now: now,
            asked: Moment(wall: now, steady: .zero))
        let waiting = Assessment(snapshot, wish: .token(minimumLife: nil), now: now)
        #expect(waiting.mayMintAt == minted + .seconds(7_200))
        snapshot.version = Version(realm: 1, secret: 2)
        snapshot.validFrom = snapshot.version
        let discarded = Assessment(snapshot, wish: .token(minimumLife: nil), now: now)
        #expect(discarded.due == .dead)
        #expect(discarded.mayMint)
    }

    @Test func `a token without expiry is never due by time`() {
        let eternal = assess(row(life: nil), after: .seconds(1_000_000_000))
        #expect(eternal.isAlive)
        #expect(eternal.diesAt == nil)
        #expect(eternal.due == nil)
    }

    @Test func `a token of another version is due at once`() {
        let changed = assess(row(), after: .seconds(10), version: Version(realm: 1, secret: 2))
        #expect(changed.due == .version)
        #expect(!changed.isCurrentVersion)
    }

    @Test func `without an upstream nothing is ever due`() {
        #expect(assess(row(), after: .seconds(7_199), hasUpstream: false).due == nil)
        #expect(assess(row(), after: .seconds(10), wish: .flush, hasUpstream: false).due == nil)
    }

    @Test func `a report counts only for the stored token`() {
        #expect(assess(row(), after: .seconds(500), wish: .replacement(of: "k")).due == .report)
        #expect(assess(row(), after: .seconds(500), wish: .replacement(of: "older")).due == nil)
    }

    @Test func `a lease that ran out unreleased bounds the token's life by the overlap`() {
        let lost = row {
            $0.takenAt = minted + .seconds(1_000)
            $0.leaseUntil = minted + .seconds(1_010)
            $0.holder = "gone"
        }
        let doubtful = assess(lost, after: .seconds(1_100), wish: .flush)
        #expect(doubtful.isInDoubt)
        #expect(doubtful.isAlive)
        #expect(doubtful.diesAt == minted + .seconds(1_300))
        #expect(doubtful.mayMintAt == minted + .seconds(1_300))
        #expect(!assess(lost, after: .milliseconds(1_298_001)).isAlive)
        // Nobody mints before the whole of D: an answer with 2.0 s left may still be on its way.
        #expect(!assess(lost, after: .seconds(1_299)).mayMint)
        #expect(assess(lost, after: .seconds(1_300)).mayMint)
    }

    @Test func `a second lease lost in doubt ends the token at once`() {
        let lostTwice = row {
            $0.doubts = 1
            $0.takenAt = minted + .seconds(1_300)
            $0.leaseUntil = minted + .seconds(1_310)
        }
        #expect(!assess(lostTwice, after: .seconds(1_301)).isAlive)
        #expect(assess(lostTwice, after: .seconds(1_301)).diesAt == minted + .seconds(1_300))
    }

    @Test func `where nothing kills a lost lease casts no doubt`() {
        let lost = row {
            $0.takenAt = minted + .seconds(1_000)
            $0.leaseUntil = minted + .seconds(1_010)
        }
        let free = assess(lost, after: .seconds(1_100), policy: Policy(.independent))
        #expect(!free.isInDoubt)
        #expect(free.diesAt == minted + .seconds(7_200))
    }

    @Test func `the gap holds back a forced mint and a routine one alike`() {
        let quiet = row { $0.nextMintAt = minted + .seconds(120) }
        #expect(!assess(quiet, after: .seconds(119), wish: .flush).mayMint)
        #expect(assess(quiet, after: .seconds(120), wish: .flush).mayMint)
    }

    @Test(arguments: [
        (FailureClass.transient, true), (.configuration, false), (.address, false), (.quota, false),
    ])
    func `a flush passes over a transient pause alone`(failureClass: FailureClass, passes: Bool) {
        let paused = row {
            $0.retryAt = minted + .seconds(600)
            $0.retryClass = failureClass
            $0.retryFor = version
        }
        #expect(assess(paused, after: .seconds(500), wish: .flush).mayMint == passes)
        #expect(assess(paused, after: .seconds(500), wish: .replacement(of: "k")).mayMint == passes)
    }

    @Test func `a pause holds for the version that failed`() {
        let paused = row {
            $0.token = nil
            $0.expiresAt = nil
            $0.retryAt = minted + .seconds(600)
            $0.retryClass = .configuration
            $0.retryFor = version
        }
        #expect(!assess(paused, after: .seconds(1)).mayMint)
        #expect(assess(paused, after: .seconds(1), version: Version(realm: 1, secret: 2)).mayMint)
    }

    @Test func `a wish for a longer life mints only where a mint kills nothing`() {
        let wish = Wish.token(minimumLife: .seconds(7_000))
        #expect(assess(row(), after: .seconds(500), wish: wish).due == nil)
        // Half the granted life is the most that can be wished for.
        let free = Policy(.independent)
        #expect(assess(row(), after: .seconds(3_599), wish: wish, policy: free).due == nil)
        #expect(assess(row(), after: .seconds(3_600), wish: wish, policy: free).due == .soft)
        let modest = Wish.token(minimumLife: .seconds(2_000))
        #expect(assess(row(), after: .seconds(5_199), wish: modest, policy: free).due == nil)
        #expect(assess(row(), after: .seconds(5_200), wish: modest, policy: free).due == .soft)
        // Where the provider gives a new token only late, earlier is in vain.
        #expect(assess(row(), after: .seconds(6_899), wish: modest, policy: Policy(.sameUntilWindow)).due == nil)
        #expect(assess(row(), after: .seconds(7_100), wish: modest, policy: Policy(.sameWhileValid)).due == nil)
    }

    @Test func `in class B a wish is honoured in the window, and where it cuts nobody's promise short`() throws {
        let wish = Wish.token(minimumLife: .seconds(1_500))
        var feishu = Policy(.sameUntilWindow)
        feishu.renewWindow = .seconds(1_800)
        feishu.overlap = .seconds(1_800)
        #expect(assess(row(), after: .seconds(5_699), wish: wish, policy: feishu).due == nil)
        #expect(assess(row(), after: .seconds(5_701), wish: wish, policy: feishu).due == .soft)
        // With the overlap of WeChat the token of others would end before its time.
        feishu.overlap = .seconds(300)
        #expect(assess(row(), after: .seconds(6_200), wish: wish, policy: feishu).due == nil)
        // Outside the window the provider has no other token.
        let long = Wish.token(minimumLife: .seconds(3_000))
        feishu.overlap = .seconds(1_800)
        #expect(assess(row(), after: .seconds(5_000), wish: long, policy: feishu).due == nil)
    }
}
