internal import Clocks
internal import JSON

/// How long a token lives, as the provider writes it.
enum Life {
    /// Ten years, in seconds: what lives longer is as good as endless, and must not overflow an instant.
    static let longest: Int64 = 10 * 365 * 86_400

    /// Nil for what is no number of that unit, or below 0; an instant that has gone by is 0.
    ///
    /// A provider that counts in whole seconds says 0 of a token that lives for a part of one more.
    static func read(_ value: JSON.Value, _ unit: Recipe.LifeUnit, now: Timestamp) -> Duration? {
        let number: Double? =
            switch value {
            case .number(let number): number.double.flatMap { $0.isFinite ? $0 : nil }
            case .string(let text): Scalar.number(text)
            default: nil
            }
        guard let number else { return nil }
        let milliseconds =
            switch unit {
            case .seconds: number * 1_000
            case .milliseconds: number
            case .epochSeconds: number * 1_000 - Double(now.milliseconds)
            case .epochMilliseconds: number - Double(now.milliseconds)
            }
        guard number >= 0 else { return nil }
        return .milliseconds(Int64(min(max(milliseconds, 0), Double(longest) * 1_000)))
    }
}
