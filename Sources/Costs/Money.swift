package enum Currency: String, Sendable {
    case yuan = "CNY"
    case dollars = "USD"
}

/// A sum in both currencies, by a dated rate.
package struct Money: Sendable, Equatable {
    package let yuan: Double
    package let dollars: Double

    private init(yuan: Double, dollars: Double) {
        self.yuan = yuan
        self.dollars = dollars
    }

    /// - Parameter exchange: a sheet with the yuan `per_dollar`.
    package init(_ sum: Double, _ currency: Currency, _ exchange: PriceSheet) throws(PriceSheet.Malformed) {
        let rate = try exchange.price("per_dollar")
        switch currency {
        case .yuan: self.init(yuan: sum, dollars: sum / rate)
        case .dollars: self.init(yuan: sum * rate, dollars: sum)
        }
    }

    package static func * (sum: Money, factor: Double) -> Money {
        Money(yuan: sum.yuan * factor, dollars: sum.dollars * factor)
    }
}
