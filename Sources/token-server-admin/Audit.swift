internal import Crypto
internal import DatabaseDrivers
internal import SQL
internal import Storage

extension AdminCommand {
    /// Reads the whole audit; 1 where something was edited or removed.
    func verifyAudit() throws -> Int32 {
        let keys = try MasterKeys(environment: Self.environment)
        let connection = try DatabaseURL(environment: Self.environment).connection(patience: .seconds(60))
        let report = try AuditVerifier(connection, keys: SigningKeys(keys, purpose: AuditVerifier.purpose)).verify()
        guard let first = report.findings.first else {
            print("audit: \(report.entries) entries in \(report.chains) chains, none edited or removed")
            return 0
        }
        print("audit: \(first)")
        for finding in report.findings.dropFirst() { print("audit: also, \(finding)") }
        return 1
    }
}
