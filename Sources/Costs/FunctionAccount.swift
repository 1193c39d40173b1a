package import JSON

/// What the local platform counted for one function.
package struct FunctionAccount: Sendable, Equatable {
    package var invocations: Int64
    package var failures: Int64
    package var instances: Int64
    /// Begun milliseconds of every invocation, init included: what Lambda bills.
    package var billed: Duration
    /// Milliseconds in which an instance had at least one request: what Function Compute bills.
    package var busy: Duration

    package init(invocations: Int64, failures: Int64 = 0, instances: Int64, billed: Duration, busy: Duration) {
        self.invocations = invocations
        self.failures = failures
        self.instances = instances
        self.billed = billed
        self.busy = busy
    }

    /// Reads `/_event-server/invocations`; nil for anything else.
    package init?(_ account: JSON.Value) {
        guard let totals = account["totals"], let invocations = totals["invocations"]?.number?.integer,
            let failures = totals["failures"]?.number?.integer,
            let instances = totals["instances_started"]?.number?.integer,
            let billed = totals["billed_ms"]?.number?.integer, let busy = totals["busy_ms"]?.number?.integer
        else { return nil }
        self.init(
            invocations: invocations, failures: failures, instances: instances, billed: .milliseconds(billed),
            busy: .milliseconds(busy))
    }
}
