import Clocks
import Crypto
import SQL
import Storage

extension MasterKeys {
    /// `MASTER_KEYS` for the keys with these ids, the same in every run.
    static func text(_ ids: String...) -> String {
        ids.map { id in
            let digest = Array(id.utf8.prefix(32)) + [UInt8](repeating: 7, count: max(0, 32 - id.utf8.count))
            return "\(id):\((try? Base64.encode(digest)) ?? "")"
        }.joined(separator: ",")
    }
}

extension DatabaseStore {
    /// A store for tests that are not about keys.
    convenience init(_ connection: any SQL.Connection, clock: (any Clock)? = nil) {
        self.init(connection, keys: MasterKeys.text("test"), clock: clock)
    }

    convenience init(_ connection: any SQL.Connection, keys: String, clock: (any Clock)? = nil) {
        guard let parsed = try? MasterKeys(parsing: keys) else { preconditionFailure("keys for tests are well formed") }
        self.init(connection, sealer: Sealer(parsed), clock: clock)
    }
}
