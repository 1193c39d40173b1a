package import Costs
package import Schedules

/// How the local platform behaves.
package struct PlatformSettings: Sendable {
    package var functionName: String
    /// The program that starts the function, the package's `bootstrap`.
    package var bootstrap: String
    package var shape = EventShape.v2
    /// The most instances at once.
    package var concurrency = 8
    /// Lambda: the events that a managed instance gets at once; nil for instances that get one at a time.
    package var maxConcurrency: Int?
    /// The function's timeout.
    package var timeout = Duration.seconds(10)
    /// Lambda gives the init phase 10 s; on Function Compute a function has 120 s to listen.
    package var initTimeout = Duration.seconds(10)
    package var memoryMegabytes = 128
    /// Function Compute: what the function has of a processor, for the account alone.
    package var vcpu = 0.1
    /// What invocations cost; without it the account has no prices.
    package var price: InvocationPrice?
    /// The most events that wait for an instance.
    package var queue = 1_000
    /// The longest time that an event waits for an instance; API Gateway gives up after 30 s.
    package var queueTimeout = Duration.seconds(30)
    /// Answer 429 when every instance is busy, as the cloud does, instead of queueing.
    package var throttle = false
    /// An instance that had nothing to do for so long is ended.
    package var idleLimit = Duration.seconds(300)
    /// Instances get no CPU while they have no request.
    package var freezes = false
    /// Function Compute: the time that `/initialize` may take; nil where the function has no such hook.
    package var initializeLimit: Duration?
    /// Function Compute: the time that `/pre-stop` may take; nil where the function has no such hook.
    package var preStopLimit: Duration?
    /// Function Compute: how it looks whether instances are well; nil where it does not.
    package var healthCheck: HealthCheck?
    /// Function Compute: answer as the domain that every function has, which makes a download of every answer.
    package var isDefaultDomain = false
    /// The function's own variables.
    package var environment: [(name: String, value: String)] = []
    /// What the template has the platform call, and when.
    package var timers: [TimerTrigger] = []
    /// Takes what goes to the function, and what it answers.
    package var recorder: Recorder?
    /// Takes every line of the platform and of the functions.
    package var output: @Sendable (String) -> Void

    package init(functionName: String, bootstrap: String, output: @escaping @Sendable (String) -> Void) {
        self.functionName = functionName
        self.bootstrap = bootstrap
        self.output = output
    }

    /// Lambda's managed instances: their time is not billed, they are never frozen, and a late event does not end them.
    ///
    /// https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
    var isManaged: Bool { maxConcurrency != nil }
    /// The loops in which an instance takes events.
    var loops: Int { maxConcurrency ?? 1 }

    /// The largest payload each way: 6 MiB and 100 bytes (Lambda quotas; enforced so by the vendor's emulator).
    static let largestPayload = 6 * 1_024 * 1_024 + 100
}
