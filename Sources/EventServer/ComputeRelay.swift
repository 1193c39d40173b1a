internal import Clocks
internal import HTTP

/// One request on one instance: from the wait for its port to the answer that the caller gets.
struct ComputeRelay: Sendable {
    enum Outcome {
        /// - Parameter status: what the account says of it: `ok`, `error`, `timeout`, `crash` or `init`.
        case answered(Response, status: String)
        /// The instance did nothing for it: another may. The rest is the answer where none does.
        case elsewhere(Response, status: String)
    }

    let settings: PlatformSettings
    let clock: any Clock

    func perform(_ request: ComputeRequest, on instance: ComputeInstance, by client: any HTTP.Client) -> Outcome {
        guard instance.waitUntilListening(clock) else {
            return .answered(ComputeOutcome.notStarted(instance), status: "init")
        }
        if let failure = ComputeHooks(settings: settings).initialize(instance, by: client) {
            return .answered(ComputeOutcome.notInitialized(failure), status: "init")
        }
        if let failure = ComputeHealth(settings: settings).checkFirst(instance, by: client) {
            return .answered(ComputeOutcome.notStarted(failure), status: "init")
        }
        let begun = clock.now()
        // What is larger than this is no answer of a function.
        var limits = ClientLimits(total: settings.timeout, responseBytes: 32 << 20)
        // An instance with a full backlog is slow, not gone.
        limits.connect = settings.timeout
        do throws(ClientError) {
            let answer = try client.send(
                request.outgoing(to: instance.port), limits: limits, willSend: { true }, didSend: {})
            if let refusal = ComputeLimits.refusal(of: answer) { return .answered(refusal, status: "error") }
            let isError = ComputeLimits.saysFailed(answer)
            return .answered(
                ComputeLimits.passed(answer, of: request, settings), status: isError ? "error" : "ok")
        } catch {
            switch error {
            case .notSent(.connectTimeout): return broken(.timeout, request, on: instance, after: settings.timeout)
            case .notSent:
                // Whether its process has ended is known a moment later: the connection tells it first.
                instance.leave()
                let time = begun.elapsed(to: clock.now())
                return .elsewhere(ComputeOutcome.exited(instance, after: time), status: "crash")
            case .ambiguous(let reason):
                return broken(reason, request, on: instance, after: begun.elapsed(to: clock.now()))
            }
        }
    }

    private func broken(
        _ reason: ClientError.Ambiguous, _ request: ComputeRequest, on instance: ComputeInstance, after time: Duration
    ) -> Outcome {
        switch reason {
        case .timeout:
            instance.abandon()
            return .answered(ComputeOutcome.timedOut(settings), status: "timeout")
        case .malformed, .tooLarge:
            return .answered(ComputeOutcome.badResponse("the function's answer: \(reason.rawValue)"), status: "error")
        case .reset, .truncated:
            // Nobody else gets it until it is clear whether it still runs.
            instance.leave()
            if instance.hasExited(within: .milliseconds(100)) {
                return .answered(ComputeOutcome.exited(instance, after: time), status: "crash")
            }
            instance.stay()
            let answer = ComputeOutcome.badResponse("the function closed the connection before it had answered")
            // A connection that was kept open may be closed by the function just then.
            let isTriedAgain = reason == .reset && request.isSafe
            return isTriedAgain ? .elsewhere(answer, status: "error") : .answered(answer, status: "error")
        }
    }
}
