internal import JSON

/// A dated list of prices: a data file, so that a new tariff is no change of code.
package struct PriceSheet: Sendable {
    package struct Malformed: Error, CustomStringConvertible {
        package let description: String
    }

    package let name: String
    package let date: String
    package let source: String
    package let currency: Currency
    private let prices: JSON.Object

    /// - Throws: `Malformed` where the file is no JSON object with its name, date, source and currency.
    package init(parsing bytes: [UInt8]) throws(Malformed) {
        guard let prices = (try? JSON.Value(parsing: bytes))?.object, let name = prices["name"]?.string,
            let date = prices["date"]?.string, let source = prices["source"]?.string,
            let currency = prices["currency"]?.string.flatMap(Currency.init)
        else { throw Malformed(description: "a price sheet needs name, date, source, and CNY or USD for its currency") }
        self.name = name
        self.date = date
        self.source = source
        self.currency = currency
        self.prices = prices
    }

    /// AWS Lambda, dollars.
    package static func lambda() throws(Malformed) -> PriceSheet { try PriceSheet(parsing: PackageResources.aws_json) }
    /// Alibaba's Function Compute by compute units, yuan.
    package static func compute() throws(Malformed) -> PriceSheet { try PriceSheet(parsing: PackageResources.fc_json) }
    /// Function Compute as it was when the predecessor was measured, yuan.
    package static func compute2022() throws(Malformed) -> PriceSheet {
        try PriceSheet(parsing: PackageResources.fc_2022_json)
    }
    /// Yuan for a dollar.
    package static func exchange() throws(Malformed) -> PriceSheet {
        try PriceSheet(parsing: PackageResources.exchange_json)
    }

    package func price(_ name: String) throws(Malformed) -> Double {
        guard let price = prices[name]?.number?.double else {
            throw Malformed(description: "the price sheet \"\(self.name)\" lacks \(name)")
        }
        return price
    }

    /// The sizes of an instance that are worth a price, the templates' own first.
    ///
    /// Where the platform gives CPU by memory, that is what they have of it.
    package func sizes() throws(Malformed) -> [Bill.Size] {
        var sizes: [Bill.Size] = []
        for size in prices["sizes"]?.array ?? [] {
            guard let megabytes = size["megabytes"]?.number?.integer else {
                throw Malformed(description: "a size of the price sheet \"\(name)\" lacks megabytes")
            }
            let vcpu =
                if let given = size["vcpu"]?.number?.double { given } else {
                    try Double(megabytes) / price("megabytes_per_vcpu")
                }
            sizes.append(Bill.Size(megabytes: megabytes, vcpu: vcpu))
        }
        guard !sizes.isEmpty else { throw Malformed(description: "the price sheet \"\(name)\" lacks sizes") }
        return sizes
    }
}
