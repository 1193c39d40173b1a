import Crypto
import Log
import TestKit

/// Sealed text as builds of earlier stages stored it, put together here apart from the code that reads it.
enum SealedText {
    /// Seals under the key `old`; what it is bound to is each part with its length, the row's number, and whether there was a
    /// destination.
    ///
    /// - Parameters:
    ///   - mark: 2 of what was bound to an origin, 3 of what is bound to a whole destination.
    ///   - place: table, realm, key, column.
    ///   - destination: nil of what was sealed for none.
    static func make(
        _ value: String, mark: Int, place: [String], version: Int64, destination: String?
    ) throws -> String {
        var context: [UInt8] = []
        func append(_ number: Int64) {
            for shift in stride(from: Int64(56), through: 0, by: -8) {
                context.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        func append(_ part: String) {
            append(Int64(part.utf8.count))
            context += Array(part.utf8)
        }
        for part in ["token-server \(mark)"] + place { append(part) }
        append(version)
        append(Int64(destination == nil ? 0 : 1))
        append(destination ?? "")
        let ring = KeyRing(try MasterKeys(parsing: MasterKeys.text("old")))
        return "\(mark):" + (try ring.seal(Redacted(value), context: context))
    }
}
