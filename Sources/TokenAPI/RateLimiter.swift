package import Clocks
internal import HTTP
internal import Locks
package import Tokens

/// How often one caller may ask one instance: token buckets for keys that were let in, and for those that were not.
///
/// What is refused is counted for the key at its address, for the address, and for the instance. A key that none of this has
/// to do with is never held back for it: where a count of others' refusals stands against a key that has not been seen here,
/// the digests of the stored keys decide, which are read once a second at most.
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

    /// The limits of an instance.
    package struct Rates: Sendable {
        /// For a key that was let in.
        package var key = Rate(perSecond: 2_000, burst: 20_000)
        /// For one key that was refused, at one address.
        package var refusedKey = Rate(perSecond: 1, burst: 60)
        /// For all that was refused at one address.
        package var refusedAddress = Rate(perSecond: 20, burst: 1_000)
        /// For all that was refused.
        package var refused = Rate(perSecond: 100, burst: 5_000)

        package init() {}
    }

    /// What a request may do before anything is asked of the database for it.
    enum Passage {
        case free
        /// Its own key has used up what it may.
        case held(Duration)
        /// Others have: a key that is stored may pass.
        case crowded(Duration)
    }

    private let rates: Rates
    /// Beyond so many in one table the table is forgotten: memory is worth more than a count.
    private let limit: Int
    private let state: Lock<State>
    /// Apart from the counts: who reads it anew holds it meanwhile.
    private let stored = Lock(Stored())

    package init(_ rates: Rates = Rates(), limit: Int = 10_000) {
        self.rates = rates
        self.limit = limit
        state = Lock(State(refused: Bucket(rates.refused)))
    }

    /// Counts a request of a key that is let in, and looks at what stands against any other.
    ///
    /// - Parameter isKnown: the key needs no database to be known.
    func passage(of digest: [UInt8], from address: IPAddress?, isKnown: Bool, at now: Moment) -> Passage {
        state.withLock { state in
            let place = Place(digest: digest, address: Address(address))
            if var bucket = state.refusedKeys[place] {
                if let delay = bucket.delay(rates.refusedKey, now) { return .held(delay) }
            } else if isKnown || state.keys[digest] != nil {
                if state.keys[digest] == nil { state.admit(digest, Bucket(rates.key, at: now), limit) }
                return state.keys[digest]?.take(rates.key, now).map { .held($0) } ?? .free
            }
            var bucket = state.addresses[place.address]
            let delays = [
                bucket?.delay(rates.refusedAddress, now), state.refused.delay(rates.refused, now),
            ]
            return delays.compactMap { $0 }.max().map { .crowded($0) } ?? .free
        }
    }

    /// Whether a key of this digest is stored, as far as a reading of the last second tells.
    ///
    /// Nobody waits for another's reading, which would hold back a good key or a whole thread: until the first has ended,
    /// whoever asks reads too.
    /// - Parameter read: the digests of at most so many keys.
    package func isStored(
        _ digest: [UInt8], at now: Moment, read: (_ limit: Int) throws(StoreError) -> [[UInt8]]
    ) throws(StoreError) -> Bool {
        let known = stored.withLock { stored -> Bool? in
            if stored.digests.contains(digest) { return true }
            return stored.readAt.map { $0.elapsed(to: now) < .seconds(1) } == true ? false : nil
        }
        if let known { return known }
        do throws(StoreError) {
            let digests = Set(try read(limit))
            stored.withLock { $0 = Stored(digests: digests, readAt: now) }
            return digests.contains(digest)
        } catch {
            // The next reading waits its second all the same.
            stored.withLock { $0.readAt = now }
            throw error
        }
    }

    func noteAdmitted(digest: [UInt8], from address: IPAddress?, at now: Moment) {
        state.withLock { state in
            state.refusedKeys[Place(digest: digest, address: Address(address))] = nil
            if state.keys[digest] != nil { return }
            var bucket = Bucket(rates.key, at: now)
            _ = bucket.take(rates.key, now)
            state.admit(digest, bucket, limit)
        }
    }

    func noteRefused(_ denial: Denial, digest: [UInt8], from address: IPAddress?, at now: Moment) {
        state.withLock { state in
            let place = Place(digest: digest, address: Address(address))
            if denial != .address {
                state.keys[digest] = nil
            } else if state.refusedKeys[place] == nil {
                // Its holder, who asks from elsewhere, does not pay for whoever has got hold of it.
                state.keys[digest]?.giveBack(rates.key)
            }
            if state.refusedKeys[place] == nil, state.refusedKeys.count >= limit { state.refusedKeys = [:] }
            _ = state.refusedKeys[place, default: Bucket(rates.refusedKey, at: now)].take(rates.refusedKey, now)
            let address = place.address
            if state.addresses[address] == nil, state.addresses.count >= limit { state.addresses = [:] }
            _ = state.addresses[address, default: Bucket(rates.refusedAddress, at: now)].take(
                rates.refusedAddress, now)
            _ = state.refused.take(rates.refused, now)
        }
    }

    // MARK: What is counted

    /// What is left of a burst, in thousandths of a request, at a moment.
    private struct Bucket: Sendable {
        private var level: Int64
        /// Nil until something is counted.
        private var at: Moment?

        init(_ rate: Rate, at now: Moment? = nil) {
            level = rate.burst * 1_000
            at = now
        }

        mutating func take(_ rate: Rate, _ now: Moment) -> Duration? {
            if let delay = delay(rate, now) { return delay }
            level -= 1_000
            return nil
        }

        mutating func giveBack(_ rate: Rate) {
            level = min(rate.burst * 1_000, level + 1_000)
        }

        /// How long to wait for one request; nil where it may go.
        mutating func delay(_ rate: Rate, _ now: Moment) -> Duration? {
            // Nothing is lost to rounding: a millisecond brings `perSecond` thousandths.
            let gone = min((at ?? now).elapsed(to: now).wholeMilliseconds, 86_400_000)
            level = min(rate.burst * 1_000, level + gone * rate.perSecond)
            at = now
            if level >= 1_000 { return nil }
            return .milliseconds((1_000 - level + rate.perSecond - 1) / rate.perSecond)
        }
    }

    private struct State: Sendable {
        /// By the digest of a key that was admitted: nobody without the key can use its bucket up.
        var keys: [[UInt8]: Bucket] = [:]
        var refusedKeys: [Place: Bucket] = [:]
        var addresses: [Address: Bucket] = [:]
        var refused: Bucket

        mutating func admit(_ digest: [UInt8], _ bucket: Bucket, _ limit: Int) {
            if keys.count >= limit { keys = [:] }
            keys[digest] = bucket
        }
    }

    private struct Stored: Sendable {
        var digests: Set<[UInt8]> = []
        var readAt: Moment?
    }

    /// A key that was shown, where it was shown: the same key may be good at another address.
    private struct Place: Hashable, Sendable {
        let digest: [UInt8]
        let address: Address
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
}
