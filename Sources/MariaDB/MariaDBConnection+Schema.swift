package import SQL

extension MariaDBConnection {
    package func exists(_ object: SchemaObject) throws(DatabaseError) -> Bool {
        switch object {
        case .table(let table):
            return try !rows(
                """
                SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = \(table)
                """
            ).isEmpty
        case .column(let table, let name):
            return try columnType(table, name) != nil
        case .index(let table, let name):
            return try !rows(
                """
                SELECT 1 FROM information_schema.STATISTICS
                WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = \(table) AND INDEX_NAME = \(name) LIMIT 1
                """
            ).isEmpty
        case .columnType(let table, let name, let prefix):
            return try columnType(table, name)?.lowercased().hasPrefix(prefix.lowercased()) ?? false
        }
    }

    private func columnType(_ table: String, _ name: String) throws(DatabaseError) -> String? {
        try rows(
            """
            SELECT CAST(COLUMN_TYPE AS CHAR) FROM information_schema.COLUMNS
            WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = \(table) AND COLUMN_NAME = \(name)
            """
        ).first?.text(0)
    }
}
