/// Why a cryptographic operation could not be done.
///
/// Never names a value.
package enum CryptoError: Error, Sendable, Equatable {
    /// libcrypto cannot be opened; the text is the loader's.
    case unavailable(String)
    /// The library refused the operation.
    case failed
}
