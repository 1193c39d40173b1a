package import Clocks
internal import SQL
package import Tokens

extension DatabaseStore: StoreProbe {
    package func probe() throws(StoreError) -> (now: Timestamp, isMigrated: Bool) {
        guard let row = try rows("SELECT \(now)").first else {
            throw .broken("the database answered no row for its clock")
        }
        var columns = ColumnReader(row, ["clock"])
        return (now: try columns.instant(), isMigrated: try isMigrated())
    }

    package func probeKeys() throws(StoreError) -> KeyHealth {
        var health = KeyHealth(isWorking: sealer.check())
        let found = try rows("SELECT sealed_with, COUNT(*), COUNT(quarantined_at) FROM secret GROUP BY sealed_with")
        for row in found {
            var columns = ColumnReader(
                row, ["secret.sealed_with", "the number of rows", "the number of quarantined rows"])
            let id = try columns.optionalText()
            let count = Int(try columns.integer())
            guard let id else { continue }
            if sealer.ids.contains(id) {
                health.known += count
                health.quarantined += Int(try columns.integer())
            } else {
                health.unknown += count
                health.unknownIDs.append(id)
            }
        }
        return health
    }

    /// Migrations of a newer build do no harm: they are made so that the build before them goes on working.
    private func isMigrated() throws(StoreError) -> Bool {
        do {
            let done = try connection.rows("SELECT number FROM schema_migration").map { $0.values.first }
            return Schema.numbers(for: connection.dialect).allSatisfy { done.contains(.integer(Int64($0))) }
        } catch {
            // No such table: nothing was ever migrated.
            if error.code == .schema { return false }
            throw StoreError(error)
        }
    }
}
