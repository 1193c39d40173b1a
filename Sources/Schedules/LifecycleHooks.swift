/// What Function Compute calls of a function besides requests, as its template has it.
package struct LifecycleHooks: Equatable, Sendable {
    /// The handler of the function that has them.
    package let handler: String
    /// The time that `POST /initialize` may take; nil where there is no such hook.
    package let initializeLimit: Duration?
    /// The time that `GET /pre-stop` may take; nil where there is no such hook.
    package let preStopLimit: Duration?
    /// Nil where nobody looks after its instances.
    package let healthCheck: HealthCheck?

    package init(
        handler: String, initializeLimit: Duration? = nil, preStopLimit: Duration? = nil,
        healthCheck: HealthCheck? = nil
    ) {
        self.handler = handler
        self.initializeLimit = initializeLimit
        self.preStopLimit = preStopLimit
        self.healthCheck = healthCheck
    }
}
