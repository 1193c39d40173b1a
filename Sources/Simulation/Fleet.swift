internal import Clocks
internal import JSON
internal import Log
internal import TestKit
internal import Tokens

/// What came back over the network: an answer, or a refusal that a cache takes for a failing server.
enum Reply {
    case answer(Answer)
    case refused(Refusal)
    case lost
}

/// The instances of the token server.
final class Fleet {
    private final class Worker {
        let store: SimulatedStore
        let upstream: SimulatedUpstream
        let broker: Broker
        let upkeep: Upkeep
        var isBusy = false

        init(_ world: World, _ inner: any ConformingStore, _ machine: Machine, _ flights: Flights) {
            store = SimulatedStore(world, inner)
            upstream = SimulatedUpstream(world, store)
            broker = Broker(
                store: store, upstream: upstream, clock: machine.clock, random: Random(seed: world.random.next()),
                flights: flights)
            upkeep = Upkeep(store: store, broker: broker, clock: machine.clock)
        }
    }

    private struct Instance {
        let machine: Machine
        let workers: [Worker]
    }

    private let world: World
    private let inner: any ConformingStore
    private let rules: Rules
    private var instances: [Instance] = []
    private var started = 0
    static let id = SecretID(realm: "wx", key: "app")
    /// Other secrets of the realm, which are there where the realm's calls are limited.
    static let neighbours = (1...3).map { SecretID(realm: "wx", key: "neighbour-\($0)") }

    init(_ world: World, _ inner: any ConformingStore, _ rules: Rules) {
        self.world = world
        self.inner = inner
        self.rules = rules
        for _ in 0..<world.scenario.instances { instances.append(start()) }
    }

    private func start() -> Instance {
        started += 1
        let machine = Machine(world, name: "i\(started)")
        let flights = Flights()
        return Instance(
            machine: machine,
            workers: (0..<world.scenario.workersPerInstance).map { _ in Worker(world, inner, machine, flights) })
    }

    /// Hands a request to an instance that is free; `reply` runs when its answer has crossed the network.
    func ask(_ wish: Wish, for id: SecretID = Fleet.id, _ reply: @escaping (Reply) -> Void) {
        guard let (instance, worker) = idle() else {
            world.after(.seconds(1)) { reply(.lost) }
            return
        }
        worker.isBusy = true
        _ = Task(instance.machine) { [world] task in
            worker.store.task = task
            worker.upstream.task = task
            task.sleep(world.random.milliseconds(0...20))
            let result = self.serve(wish, for: id, worker, task)
            worker.isBusy = false
            if task.isGhost {
                reply(.lost)
            } else {
                let isSlow = world.random.chance(0.02)
                world.after(world.random.milliseconds(isSlow ? 200...1_500 : 1...30)) { reply(result) }
            }
        }
    }

    /// The platform's schedule fires on an instance that is free.
    func sweep() {
        guard let (instance, worker) = idle() else { return }
        worker.isBusy = true
        _ = Task(instance.machine) { [world] task in
            worker.store.task = task
            worker.upstream.task = task
            let report = try? worker.upkeep.run(deadline: task.machine.clock.now() + .seconds(50))
            if let report, report.refreshed > 0 { world.count(.sweptRefresh) }
            worker.isBusy = false
        }
    }

    private func idle() -> (Instance, Worker)? {
        for index in instances.indices where instances[index].machine.isDead { instances[index] = start() }
        let free = instances.filter { !$0.machine.isFrozen && $0.workers.contains { !$0.isBusy } }
        guard !free.isEmpty else { return nil }
        let instance = world.random.pick(free)
        return instance.workers.first { !$0.isBusy }.map { (instance, $0) }
    }

    /// What the planted mistakes of a caller's way make of its wish.
    private func mutated(_ wish: Wish, _ worker: Worker) -> Wish {
        guard case .token(let minimumLife?) = wish else { return wish }
        switch world.mutation {
        case .minimumLifeIgnored: return .token(minimumLife: nil)
        case .minimumLifeKills:
            // As if the wish made the token due where a mint ends it.
            guard let read = worker.store.lastRead, let expiresAt = read.snapshot.row.expiresAt,
                expiresAt - world.now < minimumLife
            else { return wish }
            return .flush
        default: return wish
        }
    }

    private func serve(_ wish: Wish, for id: SecretID, _ worker: Worker, _ task: Task) -> Reply {
        var patience: Patience?
        let deadline = task.machine.clock.now() + .seconds(14)
        while !task.isGhost {
            let decision = worker.broker.decide(
                id, wish: mutated(wish, worker), deadline: deadline, resuming: patience)
            switch decision {
            case .answer(let answer) where world.mutation == .noFallback && answer.isStale:
                let refusal = Refusal.upstream(
                    UpstreamFailure(.refused, .configuration, detail: "refused"), retryAfter: .seconds(1))
                rules.check(refusal, wish, task, worker.store.lastRead)
                return .refused(refusal)
            case .answer(let answer):
                if task.isGhost { return .lost }
                if id == Fleet.id, let read = worker.store.lastRead {
                    rules.check(answer, read: read.snapshot, at: read.at, wish, task)
                }
                return .answer(answer)
            case .refuse(let refusal):
                if !task.isGhost, id == Fleet.id { rules.check(refusal, wish, task, worker.store.lastRead) }
                return .refused(refusal)
            case .wait(let delay, let state):
                patience = state
                task.sleep(delay)
            }
        }
        return .lost
    }
}

/// A cache function that obeys `max-age` and `stale-if-error` and knows no other rule.
final class SimulatedCache {
    private struct Entry {
        let answer: Answer
        let sent: Moment
    }

    private let world: World
    private let fleet: Fleet
    private let machine: Machine
    private var entry: Entry?

    init(_ world: World, _ fleet: Fleet, name: String) {
        self.world = world
        self.fleet = fleet
        machine = Machine(world, name: name)
    }

    /// `reply` gets what is left of the answer: its `max-age` is the rest.
    func ask(_ wish: Wish, _ reply: @escaping (Reply) -> Void) {
        if world.random.chance(world.scenario.otherFaults * 2) {
            world.count(.cacheFreeze)
            machine.freeze(world.random.milliseconds(500...400_000))
        }
        if machine.isFrozen {
            world.at(machine.frozenUntil) { self.ask(wish, reply) }
            return
        }
        if case .token(nil) = wish, let answer = kept(extra: .zero) { return reply(.answer(answer)) }
        let sent = machine.clock.now()
        fleet.ask(wish) { [self] result in
            switch result {
            case .answer(let answer):
                entry = Entry(answer: answer, sent: sent)
                reply(.answer(kept(extra: .seconds(3_600)) ?? answer))
            case .refused, .lost:
                if case .token(nil) = wish, let entry, var answer = kept(extra: entry.answer.staleIfError) {
                    answer.isStale = true
                    answer.maxAge = .zero
                    return reply(.answer(answer))
                }
                reply(result)
            }
        }
    }

    /// The entry as it stands now; nil where it is too old.
    private func kept(extra: Duration) -> Answer? {
        guard let entry else { return nil }
        let age = entry.sent.elapsed(to: machine.clock.now())
        guard age < entry.answer.maxAge + extra else { return nil }
        var answer = entry.answer
        answer.maxAge = max(.zero, entry.answer.maxAge - age)
        if let expiresIn = entry.answer.expiresIn {
            answer.expiresIn = expiresIn - age
            if expiresIn - age < .seconds(2) { return nil }
        }
        return answer
    }
}
