/// How Function Compute looks whether an instance is well, as its template has it.
///
/// https://www.alibabacloud.com/help/en/functioncompute/fc/configure-a-custom-health-check-policy-for-instances-1
package struct HealthCheck: Equatable, Sendable {
    /// What is asked by `GET`: a status from 200 to 399, in time, is well.
    package let path: String
    /// From when it listens to the first check.
    package let initialDelay: Duration
    package let period: Duration
    package let timeout: Duration
    /// So many failures in a row make it unhealthy.
    package let failureThreshold: Int
    /// So many successes in a row make it healthy again.
    package let successThreshold: Int

    package init(
        path: String, initialDelay: Duration = .zero, period: Duration = .seconds(3), timeout: Duration = .seconds(1),
        failureThreshold: Int = 3, successThreshold: Int = 1
    ) {
        self.path = path
        self.initialDelay = initialDelay
        self.period = period
        self.timeout = timeout
        self.failureThreshold = failureThreshold
        self.successThreshold = successThreshold
    }
}
