internal import JSON

/// A dated list of prices: a data file, so that a new tariff is no change of code.
package struct PriceSheet: Sendable {
    package struct Malformed: Error, CustomStringConvertible {
        package let description: String
    }

    package let name: String
    package let date: String
    package let source: String
    private let prices: JSON.Object

    /// - Throws: `Malformed` where the file is no JSON object with its name, date and source.
    package init(parsing bytes: [UInt8]) throws(Malformed) {
        guard let prices = (try? JSON.Value(parsing: bytes))?.object, let name = prices["name"]?.string,
            let date = prices["date"]?.string, let source = prices["source"]?.string
        else { throw Malformed(description: "a price sheet needs name, date and source") }
        self.name = name
        self.date = date
        self.source = source
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

    func price(_ name: String) throws(Malformed) -> Double {
        guard let price = prices[name]?.number?.double else {
            throw Malformed(description: "the price sheet \"\(self.name)\" lacks \(name)")
        }
        return price
    }
}
