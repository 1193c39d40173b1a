internal import Clocks
internal import HTTP
internal import Locks

/// How often one caller may ask one instance: a token bucket for each API key, and one for each address that shows bad keys.
///
/// All workers of a process share one value. It is in memory: another instance counts for itself, and a new one begins anew.
package final class RateLimiter: Sendable {
    /// So many requests a second, and so many at once after a rest.
    package struct Rate: Sendable {
        package var perSecond: Int64
        package var burst: Int64

        package init(perSecond: Int64, burst: Int64) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }

    /// What is left of a burst, in thousandths of a request, at a moment.
    private struct Bucket: Sendable {
        var level: Int64
        var at: Moment

        /// Nothing is lost to rounding: a millisecond brings `perSecond` thousandths.
        mutating func fill(_ rate: Rate, _ now: Moment) {
            let gone = min(at.elapsed(to: now).wholeMilliseconds, 86_400_000)
            level = min(rate.burst * 1_000, level + gone * rate.perSecond)
            at = now
        }
    }

    private struct State: Sendable {
        /// By the digest of a key that was admitted: nobody without the key can use its bucket up.
        var keys: [[UInt8]: Bucket] = [:]
        var addresses: [Address: Bucket] = [:]
    }

    /// A whole network of IPv6 is one holder's; whoever has no address shares one bucket.
    private enum Address: Hashable, Sendable {
        case none
        case v4(UInt32)
        case v6(network: UInt64)

        init(_ address: IPAddress?) {
            switch address?.unmapped {
            case nil: self = .none
            case .v4(let value)?: self = .v4(value)
            case .v6(let high, _)?: self = .v6(network: high)
            }
        }
    }

    private let perKey: Rate
    private let perAddress: Rate
    /// Beyond so many everything is forgotten: memory is worth more than a count.
    private let limit: Int
    private let state = Lock(State())

    /// - Parameters:
    ///   - perKey: for a key that was admitted.
    ///   - perAddress: for bad keys from one address.
    package init(
        perKey: Rate = Rate(perSecond: 2_000, burst: 20_000), perAddress: Rate = Rate(perSecond: 20, burst: 1_000),
        limit: Int = 10_000
    ) {
        self.perKey = perKey
        self.perAddress = perAddress
        self.limit = limit
    }

    /// Counts a request before anything is asked of the database; answers how long to wait where it is one too many.
    func delay(digest: [UInt8], from address: IPAddress?, at now: Moment) -> Duration? {
        state.withLock { state in
            if var bucket = state.keys[digest] {
                let delay = RateLimiter.take(&bucket, perKey, now)
                state.keys[digest] = bucket
                return delay
            }
            // A key that is not known here may be a good one: it costs its address nothing until it turns out bad.
            guard var bucket = state.addresses[Address(address)] else { return nil }
            bucket.fill(perAddress, now)
            return bucket.level >= 1_000 ? nil : RateLimiter.wait(bucket, perAddress)
        }
    }

    func noteAdmitted(digest: [UInt8], at now: Moment) {
        state.withLock { state in
            if state.keys[digest] != nil { return }
            if state.keys.count >= limit { state.keys = [:] }
            state.keys[digest] = Bucket(level: (perKey.burst - 1) * 1_000, at: now)
        }
    }

    func noteRefused(digest: [UInt8], from address: IPAddress?, at now: Moment) {
        state.withLock { state in
            state.keys[digest] = nil
            let address = Address(address)
            if state.addresses[address] == nil, state.addresses.count >= limit { state.addresses = [:] }
            var bucket = state.addresses[address] ?? Bucket(level: perAddress.burst * 1_000, at: now)
            _ = RateLimiter.take(&bucket, perAddress, now)
            state.addresses[address] = bucket
        }
    }

    private static func take(_ bucket: inout Bucket, _ rate: Rate, _ now: Moment) -> Duration? {
        bucket.fill(rate, now)
        guard bucket.level >= 1_000 else { return wait(bucket, rate) }
        bucket.level -= 1_000
        return nil
    }

    private static func wait(_ bucket: Bucket, _ rate: Rate) -> Duration {
        .milliseconds((1_000 - bucket.level + rate.perSecond - 1) / rate.perSecond)
    }
}
