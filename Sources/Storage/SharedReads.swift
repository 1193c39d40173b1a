package import Clocks
internal import Fibers
internal import Tokens

/// Hits on one token by one caller's key that come at about the same moment, as they do where a whole fleet uses it: the workers of a
/// thread read its row once for all that had come before, and decide for each caller what follows from it.
package final class SharedReads: Sendable {
    private struct Key: Equatable {
        let id: SecretID
        let keyID: String?
    }

    private let calls: SharedCalls<Key, Duration, Reading, StoreError>

    /// - Parameter clock: the one that arrivals are read from.
    package init(clock: any Clock) {
        calls = SharedCalls { clock.now().steady }
    }

    func reading(
        of id: SecretID, keyID: String?, arrival: Moment, _ read: () throws(StoreError) -> Reading
    ) throws(StoreError) -> Reading {
        try calls.value(of: Key(id: id, keyID: keyID), arrival: arrival.steady, read)
    }
}
