package import SQL

/// The schema that this build needs, as the migrations that make it.
///
/// The SQL lies in `Migrations/`, one file for all databases, or one for each where they differ.
package enum Schema {
    private struct File {
        var number: Int
        var name: String
        var mysql: [UInt8]?
        var sqlite: [UInt8]?

        func text(for dialect: Dialect) -> [UInt8]? {
            switch dialect {
            case .mysql: mysql
            case .sqlite: sqlite
            }
        }
    }

    private static let files = [
        File(
            number: 1, name: "tables", mysql: PackageResources.m0001_tables_mysql_sql,
            sqlite: PackageResources.m0001_tables_sqlite_sql),
        File(number: 2, name: "predecessor", mysql: PackageResources.m0002_predecessor_mysql_sql, sqlite: nil),
        File(
            number: 3, name: "listing", mysql: PackageResources.m0003_listing_sql,
            sqlite: PackageResources.m0003_listing_sql),
        File(
            number: 4, name: "lifetime", mysql: PackageResources.m0004_lifetime_mysql_sql,
            sqlite: PackageResources.m0004_lifetime_sqlite_sql),
        File(
            number: 5, name: "sealing", mysql: PackageResources.m0005_sealing_mysql_sql,
            sqlite: PackageResources.m0005_sealing_sqlite_sql),
        File(
            number: 6, name: "api keys", mysql: PackageResources.m0006_keys_mysql_sql,
            sqlite: PackageResources.m0006_keys_sqlite_sql),
        File(
            number: 7, name: "confirmation", mysql: PackageResources.m0007_confirmation_mysql_sql,
            sqlite: PackageResources.m0007_confirmation_sqlite_sql),
        File(
            number: 8, name: "audit", mysql: PackageResources.m0008_audit_mysql_sql,
            sqlite: PackageResources.m0008_audit_sqlite_sql),
        File(
            number: 9, name: "signatures", mysql: PackageResources.m0009_signatures_mysql_sql,
            sqlite: PackageResources.m0009_signatures_sqlite_sql),
    ]

    /// The migrations of a database, with their statements.
    package static func migrations(for dialect: Dialect) throws(Migration.Malformed) -> [Migration] {
        var migrations: [Migration] = []
        for file in files {
            guard let bytes = file.text(for: dialect) else { continue }
            let text = String(decoding: bytes, as: UTF8.self)
            migrations.append(try Migration(number: file.number, name: file.name, parsing: text))
        }
        return migrations
    }

    /// The numbers of those migrations.
    static func numbers(for dialect: Dialect) -> [Int] {
        files.filter { $0.text(for: dialect) != nil }.map(\.number)
    }
}
