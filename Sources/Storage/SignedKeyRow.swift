/// What the signature of a row of `api_key` covers: all that says what the key grants, as the columns hold it.
///
/// `comment`, `created_by` and `used_at` are for people to read, and not covered.
struct SignedKeyRow {
    /// What the keys that sign are made for.
    static let purpose = "api_key"

    var id: String
    var digest: String
    var role: String
    var scope: String?
    var addresses: String?
    var expiresAt: Int64?
    var createdAt: Int64

    /// Each part with its length before it, so that no two rows have the same bytes.
    var message: [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(256)
        func append(_ number: Int64) {
            for shift in stride(from: Int64(56), through: 0, by: -8) {
                message.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        func append(_ text: String?) {
            // No text has this length.
            guard let text else { return append(Int64(-1)) }
            append(Int64(text.utf8.count))
            message.append(contentsOf: text.utf8)
        }
        append("token-server api_key 1")
        for text in [id, digest, role, scope, addresses] { append(text) }
        append(expiresAt == nil ? 0 : 1)
        append(expiresAt ?? 0)
        append(createdAt)
        return message
    }
}
