internal import Crypto
internal import HTTP

/// Who may ask.
package enum Authorization: Sendable {
    /// Everybody: only where nothing but this machine can connect.
    case none
    /// Whoever holds the key with this SHA-256 digest; nobody where there is none.
    case keys(administrator: [UInt8]?)

    func check(_ request: Request) throws(Problem) {
        guard case .keys(let administrator) = self else { return }
        guard let header = request.fields[.authorization] else {
            throw .unauthorized("send an API key: Authorization: Bearer KEY")
        }
        let parts = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer", request.fields.values(.authorization).count == 1
        else {
            throw .unauthorized("the Authorization field must be: Bearer KEY")
        }
        guard let digest = try? SHA256.digest(Array(parts[1].utf8)), let administrator,
            ConstantTime.areEqual(digest, administrator)
        else { throw .unauthorized("this API key is not known") }
    }
}
