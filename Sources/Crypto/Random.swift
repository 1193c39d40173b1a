/// Random values from the operating system, fit for keys and ids.
package enum Random {
    package static func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// Lower-case hexadecimal text of that many random bytes, two characters each.
    package static func hex(bytes count: Int) -> String {
        Hex.encode(bytes(count))
    }
}
