internal import Fibers
internal import Tokens

/// Hits on one token by one caller's key that come at the same moment, as they do where a whole fleet uses it: the workers of a
/// thread read its row once, and each of them decides for its own caller what follows from it.
package final class SharedReads: Sendable {
    private struct Key: Equatable {
        let id: SecretID
        let keyID: String?
    }

    private let calls = SharedCalls<Key, Result<Reading, StoreError>>()

    package init() {}

    func reading(
        of id: SecretID, keyID: String?, _ read: () throws(StoreError) -> Reading
    ) throws(StoreError) -> Reading {
        try calls.value(of: Key(id: id, keyID: keyID)) {
            Result { () throws(StoreError) in try read() }
        }.get()
    }
}
