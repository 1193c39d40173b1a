internal import COpenSSL

/// Comparison of secrets.
package enum ConstantTime {
    /// Whether both are equal, in a time that tells nothing but their lengths.
    package static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return unsafe left.withUnsafeBufferPointer { left in
            unsafe right.withUnsafeBufferPointer { right in
                unsafe copenssl_equal(left.baseAddress, right.baseAddress, left.count) == 1
            }
        }
    }
}
