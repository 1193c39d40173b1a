internal import JSON
internal import Tokens

/// The policies of the realms that this worker has met, read once for each text.
struct StoredPolicies {
    /// More realms than one instance serves at a time; beyond it everything is read anew.
    private static let limit = 1_000

    /// By bytes: texts that only look alike are two policies.
    private var byText: [[UInt8]: Policy] = [:]

    mutating func policy(_ text: String?) throws(StoreError) -> Policy {
        guard let text else { return .undeclared }
        let bytes = Array(text.utf8)
        if let known = byText[bytes] { return known }
        let policy: Policy
        do {
            policy = try Policy(parsing: try JSON.Value(parsing: text.utf8))
        } catch let error as PolicyError {
            // It was checked when it was written: by hand, or by another version.
            throw .broken("realm.policy cannot be used: \(error.description)")
        } catch {
            throw .broken("realm.policy is not JSON")
        }
        if byText.count >= Self.limit { byText = [:] }
        byText[bytes] = policy
        return policy
    }
}
