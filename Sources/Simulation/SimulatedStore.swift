internal import Clocks
internal import Log
internal import TestKit
internal import Tokens

/// One worker's connection to the world's database: statements take time, get lost, come late.
///
/// The planted mistakes are made here, in what is written and read, so that the code under test is the real one.
final class SimulatedStore: TokenStore {
    private let world: World
    private let inner: any ConformingStore
    var task: Task?
    /// When the row was read last, by the database, and what it said.
    private(set) var lastRead: (at: Timestamp, snapshot: Snapshot)?
    /// Until when the lease that this worker took lasts.
    private(set) var leaseUntil: Timestamp?
    /// What was read when that lease was decided on, and why it was taken.
    private(set) var decided: (at: Timestamp, reason: RefreshReason)?
    /// Until when the place that this worker was given among the realm's calls lasts.
    private(set) var placeUntil: Timestamp?
    /// The reading under way is the look before the request is sent.
    var isLooking = false

    init(_ world: World, _ inner: any ConformingStore) {
        self.world = world
        self.inner = inner
    }

    private func run<Result>(
        _ name: String, writes: Bool = true, _ effect: @escaping () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        guard let task else { return try effect() }
        task.mayFail()
        task.sleep(world.random.milliseconds(1...6))
        if task.isGhost { throw .unavailable }
        if world.random.chance(world.scenario.databaseFaults) {
            task.hadFault = true
            task.isDisturbed = true
            for call in world.mints where call.task === task { call.databaseFailed = true }
            world.note("\(task.machine.name) \(name) fails")
            defer { world.databaseFailedAt = world.now }
            try fail(task, writes: writes, effect)
        }
        let result = try effect()
        task.mayFail()
        task.sleep(world.random.milliseconds(0...4))
        if task.isGhost { throw .unavailable }
        return result
    }

    private func fail<Result>(
        _ task: Task, writes: Bool, _ effect: @escaping () throws(StoreError) -> Result
    ) throws(StoreError) {
        switch world.random.within(0...2) {
        case 0:
            world.count(.databaseAway)
            throw .unavailable
        case 1 where writes:
            world.count(.statementLate)
            world.after(world.random.milliseconds(500...5_500)) { _ = try? effect() }
        default:
            world.count(.answerLost)
            _ = try? effect()
        }
        task.sleep(world.random.milliseconds(10...5_000))
        throw .uncertain
    }

    // MARK: Statements

    func read(_ id: SecretID, keyID: String?, arrival: Moment?, clock: any Clock) throws(StoreError) -> Reading {
        let asked = clock.now()
        let (key, lookup) = try run("read", writes: false) { [self] () throws(StoreError) -> (KeyReading?, Lookup) in
            let reading = try inner.read(id, keyID: keyID, arrival: arrival, clock: clock)
            guard case .found(var snapshot) = try reading.lookup() else { return (reading.key, try reading.lookup()) }
            snapshot = mutated(snapshot)
            lastRead = (at: world.now, snapshot: snapshot)
            return (reading.key, .found(snapshot))
        }
        guard case .found(var snapshot) = lookup else { return Reading(lookup, key: key) }
        snapshot.asked = asked
        return Reading(.found(snapshot), key: key)
    }

    func material(_ id: SecretID) throws(StoreError) -> Material? {
        try run("material", writes: false) { [self] () throws(StoreError) in try inner.material(id) }
    }

    func take(_ id: SecretID, _ lease: LeaseRequest) throws(StoreError) -> Bool {
        if lease.doubts > 0 { world.count(.lostLease) }
        let machine = task?.machine.name ?? ""
        let read = lastRead
        let isTaken = try run("take") { [self] () throws(StoreError) -> Bool in
            var lease = lease
            if world.mutation == .noDoubt { lease.doubts = 0 }
            let isTaken = try inner.take(id, lease)
            if isTaken {
                leaseUntil = world.now + lease.lease
                if let read, id == Fleet.id {
                    decided = (at: read.at, reason: lease.reason)
                    if lease.reason == .dead { world.deadRefreshes += 1 }
                    let broken = world.bounds.taken(
                        over: read.snapshot.row, for: lease.reason, version: read.snapshot.version, read: read.at,
                        now: world.now)
                    if let broken { world.violate(broken) }
                }
                world.note("\(machine) takes \(lease.fence + 1) for \(lease.reason.rawValue), doubts \(lease.doubts)")
            }
            return isTaken
        }
        task?.isHolder = isTaken
        return isTaken
    }

    func commit(_ id: SecretID, _ mint: MintRecord) throws(StoreError) -> Bool {
        let machine = task?.machine.name ?? ""
        return try run("commit") { [self] () throws(StoreError) -> Bool in
            var mint = mint
            switch world.mutation {
            case .noGap: mint.gap = .zero
            case .noFence, .wrongVersion:
                if case .found(let snapshot) = try inner.read(id, clock: world.databaseClock) {
                    if world.mutation == .wrongVersion { mint.version = snapshot.version }
                    if world.mutation == .noFence {
                        mint.fence = snapshot.row.fence
                        mint.generation = snapshot.row.generation
                    }
                }
            default: break
            }
            if mint.sameTokenNextMintAt != nil {
                world.count(.sameToken)
                if world.mutation == .sameTokenAtOnce { mint.sameTokenNextMintAt = mint.look }
            }
            let isDone = try inner.commit(id, mint)
            guard id == Fleet.id else { return isDone }
            if isDone { world.bounds.committed(now: world.now) }
            if isDone, let number = TokenName.number(mint.token.reveal()) { world.mints[number].isStored = true }
            world.note("\(machine) commits \(mint.token.reveal()) with \(mint.fence): \(isDone)")
            return isDone
        }
    }

    func release(_ id: SecretID, _ release: LeaseRelease) throws(StoreError) -> Bool {
        try run("release") { [self] () throws(StoreError) -> Bool in
            guard case .found(let before) = try inner.read(id, clock: world.databaseClock) else { return false }
            var written = release
            if world.mutation == .noPause { written.pause?.length = .milliseconds(1) }
            let isDone = try inner.release(id, written)
            if isDone, id == Fleet.id { world.bounds.released(release, now: world.now) }
            guard case .found(let after) = try inner.read(id, clock: world.databaseClock) else { return isDone }
            if before.row.token != after.row.token || before.row.expiresAt != after.row.expiresAt
                || before.row.generation != after.row.generation
            {
                world.violate("rule 6: a failed refresh changed the stored token")
            }
            world.note("release \(release.fence): \(isDone), pause \(release.pause?.length.wholeMilliseconds ?? 0)")
            return isDone
        }
    }

    func mark(_ id: SecretID, _ mark: LateMintMark) throws(StoreError) -> Bool {
        try run("mark") { [self] () throws(StoreError) -> Bool in
            world.count(.mark)
            world.marks.append(world.now)
            for call in world.mints where call.fence == mark.mine && call.markedAt == nil { call.markedAt = world.now }
            if id == Fleet.id { world.bounds.marked(now: world.now) }
            if world.mutation == .noMark { return true }
            let isDone = try inner.mark(id, mark)
            world.note("mark by \(mark.mine): \(isDone), dies \(mark.diesAt.milliseconds - world.now.milliseconds)")
            return isDone
        }
    }

    func abandon(_ id: SecretID, fence: Int64, extraCalls: Int64, notice: Notice?) throws(StoreError) {
        try run("abandon") { [self] () throws(StoreError) in
            try inner.abandon(id, fence: fence, extraCalls: extraCalls, notice: notice)
        }
    }

    func noteUse(_ id: SecretID, seen: Timestamp?, dueAt: Timestamp?) throws(StoreError) -> Bool {
        try run("note use") { [self] () throws(StoreError) in try inner.noteUse(id, seen: seen, dueAt: dueAt) }
    }

    func noteEarlyReport(_ id: SecretID, generation: Int64) throws(StoreError) -> Bool {
        try run("note early report") { [self] () throws(StoreError) in
            try inner.noteEarlyReport(id, generation: generation)
        }
    }

    func enter(_ realm: String, limit: Int, holder: String, length: Duration) throws(StoreError) -> Int? {
        try run("enter") { [self] () throws(StoreError) in
            let limit = world.mutation == .noConcurrency ? 1_000 : limit
            let place = try inner.enter(realm, limit: limit, holder: holder, length: length)
            if place == nil {
                world.count(.crowded)
            } else {
                placeUntil = world.now + length
                world.bounds.entered(now: world.now)
            }
            return place
        }
    }

    func leave(_ realm: String, place: Int, holder: String) throws(StoreError) {
        try run("leave") { [self] () throws(StoreError) in try inner.leave(realm, place: place, holder: holder) }
    }

    // MARK: Planted mistakes

    private func mutated(_ snapshot: Snapshot) -> Snapshot {
        var snapshot = snapshot
        switch world.mutation {
        case .noLookTime where isLooking:
            if let leaseUntil = snapshot.row.leaseUntil { snapshot.row.leaseUntil = leaseUntil + .seconds(60) }
            return snapshot
        case .noFlushBudget: snapshot.row.ledger?.forced = 0
        case .noQuota: snapshot.row.ledger?.calls = 0
        default: break
        }
        guard let leaseUntil = snapshot.row.leaseUntil, leaseUntil <= snapshot.now else { return snapshot }
        switch world.mutation {
        case .noDoubt:
            snapshot.row.leaseUntil = nil
            snapshot.row.takenAt = nil
            snapshot.row.holder = nil
            snapshot.row.reason = nil
        case .takeoverAtLeaseEnd:
            // As if the overlap were over: whoever comes next mints.
            snapshot.row.takenAt = snapshot.now - world.scenario.overlap
        case .slowTakeover where snapshot.row.fails >= 1:
            // As if the pause after lost leases were longer.
            snapshot.row.retryAt = leaseUntil + .seconds(250)
            snapshot.row.retryFor = snapshot.version
        default: break
        }
        return snapshot
    }
}

extension SimulatedStore: UpkeepStore {
    func due(limit: Int) throws(StoreError) -> (now: Timestamp, tokens: [DueToken]) {
        try run("due", writes: false) { [self] () throws(StoreError) in
            let (now, tokens) = try inner.due(limit: limit)
            if tokens.contains(where: { $0.id == Fleet.id }) { world.count(.sweep) }
            return (now: now, tokens: world.mutation == .noSchedule ? [] : tokens)
        }
    }

    func postpone(_ id: SecretID, seen: Timestamp, to next: Timestamp?) throws(StoreError) {
        try run("postpone") { [self] () throws(StoreError) in try inner.postpone(id, seen: seen, to: next) }
    }

    func postponeAll(of realm: String, due now: Timestamp, to next: Timestamp) throws(StoreError) {
        try run("postpone all") { [self] () throws(StoreError) in
            try inner.postponeAll(of: realm, due: now, to: next)
        }
    }
}

/// How the simulated provider names its tokens.
enum TokenName {
    static func token(_ number: Int) -> String { "t\(number)" }
    static func refresh(_ number: Int) -> String { "r\(number)" }
    static func number(_ text: String) -> Int? { Int(text.dropFirst()) }
}
