internal import Clocks
internal import Glibc
internal import HTTP
internal import Schedules

/// The health checks of Function Compute: one before an instance's first request, then one each period.
///
/// https://www.alibabacloud.com/help/en/functioncompute/fc/configure-a-custom-health-check-policy-for-instances-1
struct ComputeHealth: Sendable {
    let settings: PlatformSettings

    /// The check before the first request; answers why the instance has not started, nil where it is well or nobody asks.
    func checkFirst(_ instance: ComputeInstance, by client: any HTTP.Client) -> String? {
        guard let check = settings.healthCheck else { return nil }
        return instance.firstCheck.perform {
            usleep(UInt32(check.initialDelay / .microseconds(1)))
            let failure = failure(of: check, instance, by: client)
            if failure != nil { instance.leave() }
            return failure.map { "the first health check failed: \($0)" }
        }
    }

    /// Checks the instance each period, from its first check to its end; on a thread of its own.
    ///
    /// An instance that is frozen answers nobody, and is not asked.
    func watch(_ instance: ComputeInstance, by client: any HTTP.Client) {
        guard let check = settings.healthCheck else { return }
        var failures = 0
        var successes = 0
        var waited = Duration.zero
        while instance.state != .gone {
            usleep(50_000)
            waited += .milliseconds(50)
            guard instance.firstCheck.isDone, waited >= check.period else { continue }
            waited = .zero
            if instance.isFrozen { continue }
            let failure = failure(of: check, instance, by: client)
            if failure != nil, instance.isFrozen || instance.state != .ready { continue }
            failures = failure == nil ? 0 : failures + 1
            successes = failure == nil ? successes + 1 : 0
            let name = "\(settings.functionName)/\(instance.number)"
            if let failure, failures == check.failureThreshold {
                instance.isHealthy = false
                settings.output("FC Instance Unhealthy \(name): \(failure)")
            } else if !instance.isHealthy, successes == check.successThreshold {
                instance.isHealthy = true
                settings.output("FC Instance Healthy \(name)")
            }
        }
    }

    /// Why one check fails; nil where the instance is well.
    private func failure(
        of check: HealthCheck, _ instance: ComputeInstance, by client: any HTTP.Client
    ) -> String? {
        let request = ClientRequest(.get, url: "http://127.0.0.1:\(instance.port)\(check.path)")
        do throws(ClientError) {
            let answer = try client.send(
                request, limits: ClientLimits(total: check.timeout), willSend: { true }, didSend: {})
            return (200..<400).contains(answer.status.code) ? nil : "GET \(check.path) answered \(answer.status.code)"
        } catch {
            return "GET \(check.path) was not answered within \(check.timeout.wholeMilliseconds) ms"
        }
    }
}
