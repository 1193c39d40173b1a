/// How often a pair is measured, and for how long each side.
struct Rounds {
    var count = 5
    var seconds = 5
}

/// The values of several rounds: their median, and how far they lie apart.
struct Sample {
    private var values: [Double] = []

    mutating func add(_ value: Double) { values.append(value) }

    var median: Double {
        let sorted = values.sorted()
        guard let last = sorted.indices.last else { return 0 }
        return (sorted[last / 2] + sorted[(last + 1) / 2]) / 2
    }

    /// How far the first and the third quartile lie apart.
    var spread: Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count * 3 / 4] - sorted[sorted.count / 4]
    }

    /// The median, with the least and the most beside it.
    func shown(digits: Int) -> String {
        func text(_ value: Double) -> String { decimal(value, digits: digits) }
        return "\(text(median)) (\(text(values.min() ?? 0)) – \(text(values.max() ?? 0)))"
    }
}

/// Two sides measured in turn, and the ratio of each round: machines are never as idle as they seem.
struct Pair {
    private(set) var first = Sample()
    private(set) var second = Sample()
    private(set) var ratio = Sample()
    private(set) var difference = Sample()

    mutating func add(_ first: Double, _ second: Double) {
        self.first.add(first)
        self.second.add(second)
        difference.add(first - second)
        if second > 0 { ratio.add(first / second) }
    }

    func row(_ names: [String], digits: Int, aim: String) -> [String] {
        names + [
            decimal(first.median, digits: digits), decimal(second.median, digits: digits), ratio.shown(digits: 2), aim,
        ]
    }
}

/// A number with so many decimals.
func decimal(_ number: Double, digits: Int) -> String {
    var scale: Int64 = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int64((number.magnitude * Double(scale)).rounded())
    let sign = number < 0 && scaled > 0 ? "-" : ""
    if digits == 0 { return sign + String(scaled) }
    let rest = String(scaled % scale)
    return "\(sign)\(scaled / scale)." + String(repeating: "0", count: digits - rest.utf8.count) + rest
}
