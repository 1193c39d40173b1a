internal import Clocks
internal import FakeProvider
internal import TestKit
internal import Tokens

/// What one seed decides before a history begins: the provider, the times, how much goes wrong.
struct Scenario {
    let kind: ClassRules.Kind
    let policy: Policy
    /// The policy as the realm has it stored.
    let policyText: String
    let life: Duration
    let overlap: Duration
    let window: Duration
    let length: Duration

    let instances: Int
    let workersPerInstance: Int
    let caches: Int
    let consumers: Int
    let isScheduled: Bool
    /// Nobody asks for most of a token's life.
    let isQuiet: Bool

    /// Chances at every step of whoever holds a lease, and of everybody else.
    let holderFaults: Double
    let otherFaults: Double
    let databaseFaults: Double
    let providerFaults: Double
    let connectionFaults: Double
    /// Freezes of the holder between the look and the sending, where they do most harm.
    let lateSends: Double
    /// Chances of a consumer's visit being a flush, or of an edit coming in a minute.
    let flushes: Double
    let editsPerHour: Double
    let minimumLives: Double
    let clockJumps: Double

    init(seed: UInt64, mutation: Mutation?) {
        var random = Random(seed: seed ^ 0xA5A5_5A5A)
        // Most histories are of the class that is hardest to get right.
        let kind: ClassRules.Kind =
            mutation?.kind ?? (random.chance(0.55) ? .killsPrevious : random.pick(ClassRules.Kind.allCases))
        self.kind = kind
        let lives: [Int64] = mutation != nil ? [1_800] : [1_800, 1_800, 1_800, 7_200, 600, 120]
        let life = random.pick(lives)
        let overlap: Int64 = mutation == nil && random.chance(0.15) ? 60 : 300
        let lease: Int64 = random.chance(0.1) ? 30 : 10
        self.life = .seconds(life)
        self.overlap = .seconds(overlap)
        let window = min(300, life / 3)
        self.window = .seconds(window)
        length = .seconds(life > 2_000 ? 3 * life : 4_000)

        var text =
            "{\"class\":\"\(kind.rawValue)\",\"lease\":\(lease),\"flush_budget\":\(random.pick([4, 1_000, 1_000]))"
        switch kind {
        case .killsPrevious, .unspecified: text += ",\"overlap\":\(overlap)"
        case .sameUntilWindow: text += ",\"overlap\":\(overlap),\"renew_window\":\(window)"
        case .sameWhileValid, .extends, .independent, .singleUse: break
        }
        if random.chance(0.2) { text += ",\"quota\":\(random.pick([8, 40]))" }
        // The provider's day ends in the midst of some histories.
        if random.chance(0.3) { text += ",\"day_offset\":\(random.pick([3_600, 5_400]))" }
        if random.chance(0.1) || mutation == .noConcurrency { text += ",\"concurrency\":\(random.pick([1, 2]))" }
        isQuiet = random.chance(0.05) || mutation == .noSchedule
        isScheduled = random.chance(0.5) || mutation == .noSchedule
        text += ",\"scheduled_refresh\":\(isScheduled)}"
        policyText = text
        policy = Policy(stored: text)

        instances = 5
        workersPerInstance = random.chance(0.3) ? 3 : 1
        caches = 2
        let crowd = Int(random.within(3...7))
        consumers = isQuiet ? 1 : crowd
        let level = mutation == .noSchedule ? 0 : random.pick([0, 1, 2, 3])
        holderFaults = [0, 0.005, 0.02, 0.06][level]
        otherFaults = [0, 0.0002, 0.001, 0.002][level]
        databaseFaults = [0, 0.001, 0.005, 0.01][random.pick([0, level])]
        providerFaults = [0, 0.02, 0.08, 0.15][random.pick([0, level])]
        connectionFaults = [0, 0.05, 0.1, 0.2][random.pick([0, level])]
        let injectsLateSends = mutation == .noMark || mutation == .noFence || random.chance(0.2)
        lateSends = injectsLateSends && level > 0 ? 0.1 : 0
        flushes = random.chance(0.3) ? 0 : random.pick([0.01, 0.05, 0.2])
        editsPerHour = random.chance(0.5) ? 0 : random.pick([1, 4, 20])
        minimumLives = random.chance(0.7) ? 0 : 0.1
        clockJumps = random.chance(0.7) ? 0 : 0.0005
    }

    /// Nothing goes wrong, and nobody asks for anything but the token.
    var isCalm: Bool {
        holderFaults == 0 && otherFaults == 0 && databaseFaults == 0 && providerFaults == 0 && connectionFaults == 0
            && lateSends == 0 && flushes == 0 && editsPerHour == 0 && clockJumps == 0 && policy.concurrency == nil
    }
}

/// A mistake planted on purpose, which the rules must find.
package enum Mutation: String, CaseIterable, Sendable {
    /// A commit goes by whoever holds the lease.
    case noFence = "commit-without-fence"
    /// A token of older credentials is stored as the present ones'.
    case wrongVersion = "stored-as-current-version"
    /// A mint that came late is not written down.
    case noMark = "no-mark"
    /// A lease that ran out is taken for one that was given back.
    case noDoubt = "no-doubt-after-lost-lease"
    /// After a lost lease the next holder mints at once.
    case takeoverAtLeaseEnd = "takeover-at-lease-end"
    /// A second mint follows the first at once.
    case noGap = "gap-of-zero"
    /// After the second lost lease in a row nobody mints for 250 s.
    case slowTakeover = "slow-takeover-after-lost-leases"
    /// A pause after a failure lasts a millisecond.
    case noPause = "pause-of-a-millisecond"
    /// Forced calls are not counted.
    case noFlushBudget = "no-flush-budget"
    /// Calls are not counted.
    case noQuota = "no-quota"
    /// A caller is told of the failure though the old token lives.
    case noFallback = "no-old-token-after-failure"
    /// The look lets a call go however little of the lease is left.
    case noLookTime = "look-without-remaining-time"
    /// `min_ttl` is not heard where a mint ends nothing.
    case minimumLifeIgnored = "min-ttl-ignored"
    /// `min_ttl` mints where that ends the token before.
    case minimumLifeKills = "min-ttl-where-a-mint-kills"
    /// Every call of the realm finds a place.
    case noConcurrency = "no-concurrency-limit"
    /// The stored token given again may be asked for again at once.
    case sameTokenAtOnce = "same-token-asked-at-once"
    /// The schedule finds nothing due.
    case noSchedule = "no-schedule"
}

extension Mutation {
    /// The class of provider where the mistake shows.
    var kind: ClassRules.Kind {
        switch self {
        case .minimumLifeIgnored: .independent
        case .sameTokenAtOnce: .sameWhileValid
        default: .killsPrevious
        }
    }
}
