/// What an invocation costs, by the list prices of today's sheets, in both currencies.
///
/// It counts what it adds to the bill: free tiers, the hourly minimum and the idle minute of Function Compute belong to no
/// single one.
package struct InvocationPrice: Sendable {
    package enum Platform: Sendable {
        case lambda, compute
    }

    private let platform: Platform
    private let sheet: PriceSheet
    private let exchange: PriceSheet

    package init(on platform: Platform) throws(PriceSheet.Malformed) {
        self.platform = platform
        exchange = try PriceSheet.exchange()
        switch platform {
        case .lambda: sheet = try PriceSheet.lambda()
        case .compute: sheet = try PriceSheet.compute()
        }
    }

    /// - Parameter time: on Lambda what is billed of it, on Function Compute the time in which an instance had a request.
    package func price(
        requests: Int64, time: Duration, _ size: Bill.Size
    ) throws(PriceSheet.Malformed) -> Money {
        let account = FunctionAccount(invocations: requests, instances: 0, billed: time, busy: time)
        let sum =
            switch platform {
            case .lambda: try Bill.lambda(account, size, sheet).cost
            case .compute: try Bill.units(account, size, sheet).active * sheet.price("per_cu")
            }
        return try Money(sum, sheet.currency, exchange)
    }
}
