internal import Clocks
internal import Crypto
internal import JSON
internal import Tokens

/// One entry of the audit in its chain: what its hash covers, and the names that chains are stored under.
///
/// The hash is SHA-256 over a JSON array of the previous entry's hash and every column but `id`, so that anybody who reads
/// the table can work it out; the signature over it needs a master key.
struct AuditLink {
    let chain: String
    /// From 1.
    let place: Int64
    let at: Timestamp
    let entry: AuditEntry
    /// Of the entry before; empty for the first.
    let previous: String

    /// The longest text of a column, in bytes.
    private static let longest = 200

    func hash() throws(CryptoError) -> String {
        let text = { (text: String?) in text.map { JSON.Value.string($0) } ?? .null }
        let covered: JSON.Value = [
            .string(previous), .string(chain), JSON.Value(place), JSON.Value(at.milliseconds),
            .string(entry.author.caller),
            .string(entry.author.requestID), .string(entry.action.rawValue), text(entry.realm), text(entry.key),
            .string(entry.outcome), .string(entry.detail), entry.generation.map { JSON.Value($0) } ?? .null,
        ]
        return try SHA256.hexDigest(covered.encoded)
    }

    /// `administration`, or a digest of realm and key: names of any length and any characters have one of the same length.
    static func name(_ chain: AuditChainID) throws(CryptoError) -> String {
        switch chain {
        case .administration: return "administration"
        case .secret(let id):
            return String(try SHA256.hexDigest(Array(id.realm.utf8) + [0] + Array(id.key.utf8)).prefix(32))
        }
    }

    /// The entry as it fits its columns: what is longer is the caller's to invent.
    static func fitted(_ entry: AuditEntry) -> AuditEntry {
        var entry = entry
        entry.author.caller = cut(entry.author.caller)
        entry.author.requestID = cut(entry.author.requestID)
        entry.outcome = cut(entry.outcome)
        entry.detail = cut(entry.detail)
        return entry
    }

    private static func cut(_ text: String) -> String {
        if text.utf8.count <= longest { return text }
        var cut = text
        while cut.utf8.count > longest { cut.removeLast() }
        return cut
    }
}

/// What a chain's signed note of removed entries covers.
enum AuditPruning {
    static func message(chain: String, place: Int64, hash: String) -> [UInt8] {
        let covered: JSON.Value = ["pruned", .string(chain), JSON.Value(place), .string(hash)]
        return covered.encoded
    }
}
