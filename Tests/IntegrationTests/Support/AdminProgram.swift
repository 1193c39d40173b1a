import Foundation

extension Program {
    /// Runs `token-server-admin` with these settings and none of this process's own that name a database or keys.
    static func admin(_ arguments: [String], _ environment: [String: String]) throws -> Program {
        let settings = ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("MYSQL_") && $0.key != "DATABASE_URL" && $0.key != "MASTER_KEYS" }
            .merging(environment) { $1 }
        return try run(
            LocalPlatform.products.appending(path: "token-server-admin").path(), arguments, environment: settings)
    }
}
