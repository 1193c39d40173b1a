package import Clocks
internal import FakeProvider
internal import JSON
internal import Log
package import TestKit
internal import Tokens

/// One history of the whole protocol: a fleet of instances, caches in front, consumers, an administrator, a provider, and what goes wrong.
///
/// The broker, the policy and the store are the real ones; time, the network, processes and the provider are simulated. A seed
/// decides everything.
package struct Simulation {
    package struct Result: Sendable {
        /// The rule that was broken; nil for a history in which all hold.
        package let violation: String?
        /// How often each event came, in the order of `Event.allCases`.
        package let counts: [Int]
        package let steps: Int
        package let answers: Int
        package let mints: Int
        /// What happened, with milliseconds since the beginning; empty unless it was asked for.
        package let history: [String]
    }

    private let seed: UInt64
    private let mutation: Mutation?
    private let keepsHistory: Bool

    package init(seed: UInt64, mutation: Mutation? = nil, keepsHistory: Bool = false) {
        self.seed = seed
        self.mutation = mutation
        self.keepsHistory = keepsHistory
    }

    /// - Parameter makeStore: the database, given its clock; in memory unless told otherwise.
    package func run(
        on makeStore: (any Clock) throws -> any ConformingStore = { InMemoryStore(clock: $0) }
    ) throws -> Result {
        let world = World(seed: seed, mutation: mutation, keepsHistory: keepsHistory)
        let store = try makeStore(world.databaseClock)
        let rules = Rules(world)
        _ = try store.write(
            Fleet.id.realm, RealmChange(config: .set("{}"), policy: .set(world.scenario.policyText)))
        _ = try store.write(
            Fleet.id, ["key_1": .set(Redacted("0")), "refresh_token": .set(Redacted(TokenName.refresh(0)))])
        if world.scenario.policy.concurrency != nil {
            for id in Fleet.neighbours { _ = try store.write(id, ["key_1": .set(Redacted("0"))]) }
        }
        let fleet = Fleet(world, store, rules)
        let people = People(world, store, fleet, rules)
        people.begin()
        world.run()
        if world.violation == nil { rules.checkCalls() }
        if world.violation == nil { rules.checkSchedule() }
        if world.violation == nil, world.mints.isEmpty, world.scenario.isCalm { world.violate("nothing was minted") }
        return Result(
            violation: world.violation, counts: world.counts, steps: world.steps, answers: rules.answers,
            mints: world.mints.count, history: world.history ?? [])
    }
}

extension Policy {
    init(stored text: String) {
        let value = try? JSON.Value(parsing: text.utf8)
        self = value.flatMap { try? Policy(parsing: $0) } ?? .undeclared
    }
}

/// Consumers, the administrator and the schedule.
private final class People {
    private let world: World
    private let store: any ConformingStore
    private let fleet: Fleet
    private let caches: [SimulatedCache]
    private let rules: Rules
    private var edits = 0

    init(_ world: World, _ store: any ConformingStore, _ fleet: Fleet, _ rules: Rules) {
        self.world = world
        self.store = store
        self.fleet = fleet
        self.rules = rules
        caches = (1...world.scenario.caches).map { SimulatedCache(world, fleet, name: "c\($0)") }
    }

    func begin() {
        for _ in 0..<world.scenario.consumers {
            world.after(world.random.milliseconds(0...30_000)) { self.visit() }
        }
        if world.scenario.isScheduled { world.after(.seconds(60)) { self.tick() } }
        if world.scenario.policy.concurrency != nil {
            for id in Fleet.neighbours { world.after(world.random.milliseconds(0...5_000)) { self.visit(id) } }
        }
        world.at(world.scenario.policy.midnight(after: world.now)) { [world] in world.count(.midnight) }
        if world.scenario.editsPerHour > 0 { planEdit() }
        if world.scenario.kind == .singleUse { world.after(.seconds(60)) { self.authorise() } }
    }

    // MARK: Consumers

    private func visit() {
        let pause: ClosedRange<Int64> = world.scenario.isQuiet ? 600_000...1_500_000 : 1_000...60_000
        world.after(world.random.milliseconds(pause)) { self.visit() }
        var wish = Wish.token(minimumLife: nil)
        if world.random.chance(world.scenario.flushes) {
            world.count(.flush)
            wish = .flush
        } else if world.random.chance(world.scenario.minimumLives) {
            world.count(.minimumLife)
            wish = .token(minimumLife: world.random.milliseconds(1_000...world.scenario.life.wholeMilliseconds))
        }
        let sent = world.now
        let reply: (Reply) -> Void = { [self] reply in
            // An answer that was too long under way is not used.
            guard case .answer(let answer) = reply, world.now - sent <= world.scenario.policy.patience else { return }
            rules.expect(answer, sent: sent)
            useLater(answer)
        }
        if world.random.chance(0.3) {
            fleet.ask(wish, reply)
        } else {
            world.random.pick(caches).ask(wish, reply)
        }
    }

    private func visit(_ neighbour: SecretID) {
        world.after(world.random.milliseconds(1_000...20_000)) { self.visit(neighbour) }
        fleet.ask(.token(minimumLife: nil), for: neighbour) { _ in }
    }

    /// A consumer that keeps a token for as long as it may live meets its end, and says so.
    private func useLater(_ answer: Answer) {
        guard world.random.chance(0.3), let expiresIn = answer.expiresIn, expiresIn > .zero else { return }
        world.after(world.random.milliseconds(0...expiresIn.wholeMilliseconds)) { [self] in
            guard let number = TokenName.number(answer.token.reveal()),
                world.provider.token(number).diesAt <= world.now
            else { return }
            world.count(.report)
            let sent = world.now
            fleet.ask(.replacement(of: answer.token.reveal())) { [self] reply in
                if case .answer(let answer) = reply { rules.expect(answer, sent: sent) }
            }
        }
    }

    // MARK: The schedule

    private func tick() {
        world.after(Policy.tick) { self.tick() }
        // Two instances at once: the lease decides.
        for _ in 0..<2 { fleet.sweep() }
    }

    // MARK: The administrator

    private func planEdit() {
        let pause = 3_600_000 / world.scenario.editsPerHour
        world.after(world.random.milliseconds(1_000...Int64(2 * pause))) { [self] in
            edit()
            planEdit()
        }
    }

    private func edit() {
        edits += 1
        let discards = world.random.chance(0.2)
        world.count(discards ? .discard : .edit)
        world.note(discards ? "an edit that discards" : "an edit")
        if discards { rules.discardedAt = world.now }
        _ = try? store.write(Fleet.id, ["key_1": .set(Redacted("\(edits)"))], discardsToken: discards)
    }

    /// Where the provider wants a person to authorise again, somebody does.
    private func authorise() {
        world.after(.seconds(60)) { self.authorise() }
        guard case .found(let snapshot)? = try? store.read(Fleet.id, clock: world.databaseClock),
            snapshot.row.retryClass == .reauthorise, snapshot.row.retryFor == snapshot.version
        else { return }
        world.note("authorised again")
        let number = world.provider.authoriseAgain()
        _ = try? store.write(Fleet.id, ["refresh_token": .set(Redacted(TokenName.refresh(number)))])
    }
}
