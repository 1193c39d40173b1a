internal import Clocks
internal import Crypto
internal import DatabaseDrivers
internal import SQL
internal import Storage

extension AdminCommand {
    /// Signs the API keys that nobody has signed, and names each.
    func signKeys(isDry: Bool) throws -> Int32 {
        let keys = try MasterKeys(environment: Self.environment)
        let connection = try DatabaseURL(environment: Self.environment).connection(patience: .seconds(60))
        let entries = try KeySigning(connection, keys).run(isDry: isDry)
        for entry in entries { print(entry.line(isDry: isDry)) }
        if entries.isEmpty { print("every API key is signed") }
        return 0
    }
}

extension KeySigning.Entry {
    func line(isDry: Bool) -> String {
        let made = Timestamp(milliseconds: createdAt).iso8601
        return "API key \(id) (\(role.debugDescription), made \(made) by \(createdBy.debugDescription)): "
            + (isDry ? "would be signed" : "signed")
    }
}
