internal import Clocks
internal import Fibers
internal import TestKit
internal import Tokens

/// A machine's two clocks: the wall is off by so much and may jump, the steady one may stand still while it is frozen.
final class MachineClock: Clock, @unchecked Sendable {
    // Simulated instances share one thread.
    private unowned let world: World
    private var skew: Duration
    private var lost = Duration.zero
    let countsFrozenTime: Bool

    init(_ world: World) {
        self.world = world
        skew = world.random.milliseconds(-5_000...5_000)
        countsFrozenTime = world.random.chance(0.5)
    }

    func now() -> Moment {
        Moment(wall: world.now + skew, steady: .milliseconds(world.now.milliseconds) - lost)
    }

    func freeze(_ length: Duration) {
        if !countsFrozenTime { lost += length }
    }

    func jump(_ length: Duration) {
        skew += length
    }
}

/// A function instance: a process with its clocks and workers, frozen and killed as a whole.
final class Machine {
    let world: World
    let clock: MachineClock
    let name: String
    private(set) var frozenUntil = Timestamp(milliseconds: 0)
    private(set) var isDead = false
    /// Freezes and jumps of its clock so far.
    private(set) var disturbances = 0

    init(_ world: World, name: String) {
        self.world = world
        self.name = name
        clock = MachineClock(world)
    }

    var isFrozen: Bool { frozenUntil > world.now }

    func freeze(_ length: Duration) {
        world.note("\(name) freezes for \(length.wholeMilliseconds) ms")
        clock.freeze(length)
        disturbances += 1
        frozenUntil = max(frozenUntil, world.now + length)
    }

    func setClock(by length: Duration) {
        world.note("\(name)'s clock jumps by \(length.wholeMilliseconds) ms")
        clock.jump(length)
        disturbances += 1
    }

    func kill() {
        world.note("\(name) is killed")
        isDead = true
    }
}

/// Blocking code on a machine, suspended wherever it waits.
final class Task {
    let machine: Machine
    private let world: World
    private var coroutine: Coroutine?
    /// Its machine is gone: what it still does has no effect.
    private(set) var isGhost = false
    /// Whether it holds a lease, and so is what faults are aimed at.
    var isHolder = false
    /// Whether anything has gone wrong since it took the lease.
    var hadFault = false
    /// Whether its own machine or its connection to the database kept it from going on.
    var isDisturbed = false

    init(_ machine: Machine, _ body: @escaping (Task) -> Void) {
        self.machine = machine
        world = machine.world
        let world = world
        coroutine = Coroutine { [unowned self] in
            body(self)
            world.ended(self)
        }
        world.began(self)
        world.after(.zero) { self.resume() }
    }

    private func resume() {
        if coroutine?.hasEnded == false { coroutine?.resume() }
    }

    func endAsGhost() {
        isGhost = true
        resume()
    }

    func sleep(_ delay: Duration) {
        if isGhost { return }
        let disturbances = machine.disturbances
        world.after(delay) { self.resume() }
        coroutine?.suspend()
        while !isGhost, !machine.isDead, machine.isFrozen {
            world.at(machine.frozenUntil) { self.resume() }
            coroutine?.suspend()
        }
        if machine.disturbances != disturbances {
            hadFault = true
            isDisturbed = true
        }
        if machine.isDead { isGhost = true }
    }

    /// A point between two steps, where the machine may be killed, frozen, or have its clock set.
    func mayFail() {
        if isGhost { return }
        let scenario = world.scenario
        if world.random.chance(isHolder ? scenario.holderFaults : scenario.otherFaults) {
            hadFault = true
            isDisturbed = true
            if world.random.chance(0.4) {
                world.count(.kill)
                machine.kill()
                isGhost = true
            } else {
                world.count(.freeze)
                freeze()
            }
        }
        if world.random.chance(scenario.clockJumps) {
            world.count(.clockJump)
            // One of the two clocks must count frozen time: back alone where the steady one does.
            let longest: Int64 = 20_000
            machine.setClock(by: world.random.milliseconds((machine.clock.countsFrozenTime ? -longest : 0)...longest))
            hadFault = true
            isDisturbed = true
        }
    }

    func freeze() {
        hadFault = true
        isDisturbed = true
        let bound = world.random.pick([2_000, 12_000, 60_000, 400_000, 3_600_000] as [Int64])
        machine.freeze(world.random.milliseconds(100...bound))
        sleep(.zero)
    }
}
