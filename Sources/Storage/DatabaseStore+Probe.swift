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
