internal import Clocks
internal import FakeProvider
internal import Log
internal import TestKit
internal import Tokens

/// One call that reached the provider, or may have.
final class UpstreamCall {
    let fence: Int64
    /// What the request was built with; the newest, where the provider gave the token again.
    var version: Version
    /// The request left so late that the provider may have acted after the lease had ended: nobody's doubt stands for it.
    let isLate: Bool
    /// Frozen between the sending and its note of when that was: the mark it makes comes with too late a time.
    var isStampedLate = false
    /// Its holder was killed, or cut off from the database, before it could mark.
    var isCutOff: Bool { task.isGhost || databaseFailed }
    var databaseFailed = false
    var markedAt: Timestamp?
    var isStored = false
    let mintedAt: Timestamp
    let task: Task

    init(fence: Int64, version: Version, isLate: Bool, mintedAt: Timestamp, task: Task) {
        self.fence = fence
        self.version = version
        self.isLate = isLate
        self.mintedAt = mintedAt
        self.task = task
    }

    var hadFault: Bool { task.hadFault || task.isGhost || providerFailed }
    var providerFailed = false
}

/// One worker's way to the provider: connections are refused, answers lost, requests acted on late.
final class SimulatedUpstream: Upstream {
    private enum Fate {
        case answered, refusal, busy, requestLost, answerLost, unusable, slow
    }

    private let world: World
    private let store: SimulatedStore
    var task: Task?
    /// What the provider said to the call under way.
    private var answer: ClassRules.Answer?
    /// The fence of the call before: a second call with it is the one more try of a transient failure.
    private var lastFence: Int64?

    init(_ world: World, _ store: SimulatedStore) {
        self.world = world
        self.store = store
    }

    func mint(
        _ material: Material, forced: Bool, timeout: Duration, look: () -> Timestamp?, sent: () -> Void
    ) -> MintOutcome {
        guard let task else { return .stopped }
        guard material.id == Fleet.id else { return mintForNeighbour(task, timeout: timeout, look: look, sent: sent) }
        let scenario = world.scenario
        let begun = world.now
        task.mayFail()
        if world.random.chance(scenario.connectionFaults) {
            task.sleep(world.random.milliseconds(10...2_000))
            world.count(.connectionRefused)
            return .refused(UpstreamFailure(.unreachable, .transient, detail: "refused"))
        }
        task.sleep(
            world.random.chance(0.05) ? world.random.milliseconds(300...2_000) : world.random.milliseconds(5...100))
        guard isLookedAt(look, timeout: timeout) else { return .stopped }
        let fence = store.lastRead?.snapshot.row.fence ?? 0
        if fence == lastFence, let decided = store.decided {
            world.count(.secondTry)
            world.bounds.triedAgain(read: decided.at)
        }
        lastFence = fence
        if world.random.chance(scenario.lateSends) {
            world.count(.freezeBeforeSending)
            task.freeze()
        } else {
            task.mayFail()
        }
        if task.isGhost { return .stopped }

        // The request leaves.
        let sentAt = world.now
        leave(task)
        defer { comeBack(task) }
        let leaseUntil = store.leaseUntil ?? sentAt
        let isLate = sentAt + timeout + scenario.policy.grace > leaseUntil
        let fate: Fate =
            world.random.chance(scenario.providerFaults)
            ? world.random.pick([.refusal, .busy, .requestLost, .answerLost, .unusable, .slow]) : .answered
        let isActedOnLate = world.random.chance(scenario.providerFaults)
        let bound = (timeout + scenario.policy.grace).wholeMilliseconds - 1
        let travel = isActedOnLate ? world.random.milliseconds(200...bound) : world.random.milliseconds(5...150)
        if isActedOnLate { world.count(.processedLate) }
        if fate != .answered || isActedOnLate {
            task.hadFault = true
        }
        answer = nil
        var call: UpstreamCall?
        let decided = store.decided
        var isStampedLate = false
        world.after(travel) { [self] in
            guard fate != .requestLost else { return }
            if let decided {
                let broken = world.bounds.called(
                    isForced: decided.reason.isForced, isActedOn: fate != .refusal && fate != .busy, read: decided.at)
                if let broken { world.violate(broken) }
            }
            guard fate != .refusal, fate != .busy else { return }
            call = act(material, forced: forced, fence: fence, isLate: isLate, isStampedLate: isStampedLate, task, fate)
        }

        let disturbances = task.machine.disturbances
        task.mayFail()
        if task.machine.disturbances != disturbances {
            world.count(.freezeBeforeStamp)
            isStampedLate = true
            call?.isStampedLate = true
        }
        sent()
        return wait(fate, task, begun: begun, timeout: timeout, until: sentAt + travel + .milliseconds(20))
    }

    /// Whether the look lets the call go; what it promises is that the provider's answer comes while the lease lasts.
    private func isLookedAt(_ look: () -> Timestamp?, timeout: Duration) -> Bool {
        store.isLooking = true
        defer { store.isLooking = false }
        guard look() != nil else {
            world.count(.lookRefused)
            return false
        }
        if let leaseUntil = store.leaseUntil, leaseUntil - world.now < timeout + world.scenario.policy.grace {
            world.violate(
                "look: a call was let go with \((leaseUntil - world.now).wholeMilliseconds) ms of its lease left")
        }
        return true
    }

    private func leave(_ task: Task) {
        guard let placeUntil = store.placeUntil else { return }
        let broken = world.bounds.left(ObjectIdentifier(task), placeUntil: placeUntil, now: world.now)
        if let broken { world.violate(broken) }
    }

    /// A holder that is gone leaves its place to run out.
    private func comeBack(_ task: Task) {
        if !task.isGhost { world.bounds.cameBack(ObjectIdentifier(task)) }
    }

    /// Another secret of the realm: its calls are slow, and take their places among the realm's.
    private func mintForNeighbour(
        _ task: Task, timeout: Duration, look: () -> Timestamp?, sent: () -> Void
    ) -> MintOutcome {
        task.sleep(world.random.milliseconds(5...100))
        guard look() != nil, !task.isGhost else { return .stopped }
        leave(task)
        defer { comeBack(task) }
        sent()
        task.sleep(min(world.random.milliseconds(500...4_000), timeout))
        if task.isGhost { return .ambiguous(UpstreamFailure(.unreachable, .transient, detail: "killed")) }
        return .minted(Redacted("n\(world.now.milliseconds)"), life: .seconds(60))
    }

    /// The provider acts, whether or not anybody still waits for it.
    private func act(
        _ material: Material, forced: Bool, fence: Int64, isLate: Bool, isStampedLate: Bool, _ task: Task, _ fate: Fate
    ) -> UpstreamCall? {
        let text = material.refreshToken ?? material.credentials["refresh_token"]
        let presented = text.flatMap { TokenName.number($0.reveal()) } ?? 0
        let result = world.provider.call(forced: forced, refresh: presented, now: world.now)
        answer = result
        world.calls += 1
        guard case .token(let number, _, _) = result else {
            if let last = world.mints.last, !last.hadFault, !task.hadFault {
                world.violate("class G: a refresh token was lost though nothing went wrong")
            }
            return nil
        }
        if number < world.mints.count {
            let call = world.mints[number]
            if call.version.secret < material.version.secret { call.version = material.version }
            return nil
        }
        let call = UpstreamCall(
            fence: fence, version: material.version, isLate: isLate, mintedAt: world.now, task: task)
        call.isStampedLate = isStampedLate
        call.providerFailed = fate != .answered
        world.mints.append(call)
        world.note("provider mints t\(number) for \(task.machine.name), fence \(fence)\(isLate ? ", late" : "")")
        return call
    }

    private func wait(
        _ fate: Fate, _ task: Task, begun: Timestamp, timeout: Duration, until time: Timestamp
    ) -> MintOutcome {
        let limit = begun + timeout
        func timedOut(_ event: Event) -> MintOutcome {
            world.count(event)
            task.hadFault = true
            task.sleep(max(limit - world.now, .zero))
            return .ambiguous(UpstreamFailure(.unreachable, .transient, detail: "timeout"))
        }
        switch fate {
        case .requestLost: return timedOut(.requestLost)
        case .answerLost: return timedOut(.answerAfterMintLost)
        case .slow: return timedOut(.answerSlow)
        default: break
        }
        if time > limit { return timedOut(.answerSlow) }
        task.sleep(max(time - world.now, .zero))
        task.mayFail()
        if task.isGhost { return .ambiguous(UpstreamFailure(.unreachable, .transient, detail: "killed")) }
        // After a thaw both are true: the answer is there, and the time is over.
        if world.now > limit, world.random.chance(0.5) { return timedOut(.answerSlow) }
        switch fate {
        case .refusal:
            world.count(.providerRefusal)
            let failureClass = world.random.pick([.configuration, .address, .quota] as [FailureClass])
            return .refused(UpstreamFailure(.refused, failureClass, detail: "refused"))
        case .busy:
            world.count(.providerBusy)
            return .refused(UpstreamFailure(.refused, .transient, detail: "busy"))
        case .unusable:
            world.count(.answerUnusable)
            return .unusable(UpstreamFailure(.refused, .transient, detail: "unusable"))
        default: break
        }
        switch answer {
        case .token(let number, let life, let refresh):
            return .minted(
                Redacted(TokenName.token(number)), life: life,
                refreshToken: refresh.map { Redacted(TokenName.refresh($0)) })
        case .refreshTokenUsed:
            world.count(.refreshTokenUsed)
            return .refused(UpstreamFailure(.refused, .reauthorise, detail: "used"))
        case nil: return timedOut(.answerSlow)
        }
    }
}
