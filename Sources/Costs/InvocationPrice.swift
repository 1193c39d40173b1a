/// What one invocation costs on either cloud, by the list prices of today's sheets.
///
/// It counts what this invocation adds to the bill: free tiers, the hourly minimum and the idle minute of Function Compute
/// belong to no single one.
package struct InvocationPrice: Sendable {
    private let lambda: PriceSheet
    private let compute: PriceSheet

    package init() throws(PriceSheet.Malformed) {
        lambda = try PriceSheet.lambda()
        compute = try PriceSheet.compute()
    }

    /// Lambda: dollars for requests and billed time.
    package func dollars(
        requests: Int64 = 1, billed: Duration, _ size: Bill.Size
    ) throws(PriceSheet.Malformed) -> Double {
        let account = FunctionAccount(invocations: requests, instances: 0, billed: billed, busy: .zero)
        return try Bill.lambda(account, size, lambda).cost
    }

    /// Function Compute: yuan for requests, and for the time in which an instance had at least one.
    package func yuan(
        requests: Int64 = 1, busy: Duration, _ size: Bill.Size
    ) throws(PriceSheet.Malformed) -> Double {
        let account = FunctionAccount(invocations: requests, instances: 0, billed: .zero, busy: busy)
        return try Bill.units(account, size, compute).active * compute.price("per_cu")
    }
}
