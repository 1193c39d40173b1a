internal import TestKit

/// Makes inputs out of good ones: a few random changes each.
struct Mutator {
    private let seeds: [[UInt8]]
    private let dictionary: [[UInt8]]

    /// The largest input: beyond it only time is lost.
    private static let longest = 16 << 10
    /// What parsers treat on its own: ends, quotes, separators, signs, what is no UTF-8.
    private static let telling: [UInt8] =
        Array("\0\t\n\r \"#%&'+,-./0123456789:;<=>?@[\\]^_`{|}~".utf8) + [
            0x7F, 0x80, 0xBF, 0xC0, 0xE0, 0xF0, 0xF4, 0xFF,
        ]
    private static let numbers = [
        "0", "-1", "1e999", "9223372036854775807", "9223372036854775808", "18446744073709551615", "2147483648", "-0",
        "4294967296", "0.1", "1E-400", "00", "65536", "99999999999999999999",
    ].map { Array($0.utf8) }

    init(_ seeds: [[UInt8]], dictionary: [String]) {
        self.seeds = seeds
        self.dictionary = dictionary.map { Array($0.utf8) }
    }

    func input(using random: inout Random) -> [UInt8] {
        var bytes = seeds.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 1...8, using: &random) { mutate(&bytes, using: &random) }
        return bytes.count > Mutator.longest ? Array(bytes.prefix(Mutator.longest)) : bytes
    }

    private func mutate(_ bytes: inout [UInt8], using random: inout Random) {
        let at = Int.random(in: 0...bytes.count, using: &random)
        let range = at..<Int.random(in: at...min(bytes.count, at + 32), using: &random)
        switch Int.random(in: 0..<11, using: &random) {
        case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1 where at < bytes.count: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 2 where at < bytes.count: bytes[at] = Mutator.telling.randomElement(using: &random) ?? 0
        case 3: bytes.insert(Mutator.telling.randomElement(using: &random) ?? 0, at: at)
        case 4: bytes.removeSubrange(range)
        case 5: bytes.removeSubrange(at...)
        case 6: bytes.insert(contentsOf: bytes[range], at: Int.random(in: 0...bytes.count, using: &random))
        // Depth, and many of one kind.
        case 7:
            let piece = Array(bytes[range])
            for _ in 0..<Int.random(in: 1...64, using: &random) where bytes.count < Mutator.longest {
                bytes.insert(contentsOf: piece, at: at)
            }
        case 8: if let word = dictionary.randomElement(using: &random) { bytes.replaceSubrange(range, with: word) }
        case 9:
            let other = seeds.randomElement(using: &random) ?? []
            let from = Int.random(in: 0...other.count, using: &random)
            bytes.replaceSubrange(at..., with: other[from...])
        default:
            if let number = Mutator.numbers.randomElement(using: &random) { replaceNumber(&bytes, from: at, number) }
        }
    }

    private func replaceNumber(_ bytes: inout [UInt8], from at: Int, _ number: [UInt8]) {
        let isDigit: (UInt8) -> Bool = { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let start = bytes[at...].firstIndex(where: isDigit) else { return }
        let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
        bytes.replaceSubrange(start..<end, with: number)
    }
}
